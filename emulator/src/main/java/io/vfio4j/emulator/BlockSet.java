// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import java.util.Arrays;

/** A set of the state's 64 KiB blocks that knows how many bytes it covers. For one thread at a time. */
final class BlockSet {
    static final int BLOCK_BITS = 16;
    static final long BLOCK_BYTES = 1L << BLOCK_BITS;

    private final long size;
    private final int blocks;
    private final long[] words;
    private long bytes;

    /** An empty set of blocks of a state of so many bytes; the last block may be shorter. */
    BlockSet(long size) {
        this.size = size;
        this.blocks = blocksOf(size);
        this.words = new long[(blocks + Long.SIZE - 1) / Long.SIZE];
    }

    static int blocksOf(long bytes) {
        return Math.toIntExact((bytes + BLOCK_BYTES - 1) >> BLOCK_BITS);
    }

    long bytes() {
        return bytes;
    }

    boolean isEmpty() {
        return bytes == 0;
    }

    boolean contains(int block) {
        return (words[block >> 6] & 1L << block) != 0;
    }

    void add(int block) {
        if (!contains(block)) {
            words[block >> 6] |= 1L << block;
            bytes += length(block);
        }
    }

    void addRange(int from, int to) {
        for (int block = from; block < to; block++) {
            add(block);
        }
    }

    void addAll(BlockSet other) {
        for (int block = other.next(0); block < blocks; block = other.next(block + 1)) {
            add(block);
        }
    }

    void removeRange(int from, int to) {
        for (int block = from; block < to; block++) {
            if (contains(block)) {
                words[block >> 6] &= ~(1L << block);
                bytes -= length(block);
            }
        }
    }

    void clear() {
        Arrays.fill(words, 0);
        bytes = 0;
    }

    /** Returns the first block of the set from a block on, or the number of blocks where there is none. */
    int next(int from) {
        int word = from >> 6;
        if (word >= words.length) {
            return blocks;
        }
        long bits = words[word] & -1L << from;
        while (bits == 0) {
            if (++word == words.length) {
                return blocks;
            }
            bits = words[word];
        }
        return (word << 6) + Long.numberOfTrailingZeros(bits);
    }

    /** Returns where the run of blocks that begins at a block of the set ends, at most so many blocks on. */
    int endOfRun(int block, int mostBlocks) {
        int limit = Math.min(blocks, block + mostBlocks);
        int end = block + 1;
        while (end < limit && contains(end)) {
            end++;
        }
        return end;
    }

    /** Counts the runs that the set is sent in. */
    int runs(int mostBlocks) {
        int runs = 0;
        for (int block = next(0); block < blocks; block = next(endOfRun(block, mostBlocks))) {
            runs++;
        }
        return runs;
    }

    int blocks() {
        return blocks;
    }

    private long length(int block) {
        return Math.min(BLOCK_BYTES, size - ((long) block << BLOCK_BITS));
    }
}
