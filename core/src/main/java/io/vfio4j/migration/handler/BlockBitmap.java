// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * The blocks of a disk that were written: one bit each, which any number of threads set without a lock.
 *
 * <p>To mark what is marked already reads one word. (A {@link io.vfio4j.dirty.DirtyBitmap} is the kernel's to write,
 * and for one thread at a time; the writers of a disk are many.)
 */
public final class BlockBitmap {
    /** The least that a bit can stand for, in bytes. */
    public static final int LEAST_GRANULARITY = 512;

    /** How many blocks there can be: the bits take 256 MiB then. */
    public static final long MOST_BLOCKS = 1L << 31;

    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    private final long length;
    private final int shift;
    private final long blocks;
    private final long[] words;
    private final LongAdder marked = new LongAdder();

    /**
     * Makes a bitmap in which nothing is marked.
     *
     * @param length how long the disk is, in bytes, &gt; 0
     * @param granularity what a bit stands for, in bytes, a power of two of {@link #LEAST_GRANULARITY} or more
     * @throws IllegalArgumentException for a length or granularity out of range, or more than {@link #MOST_BLOCKS}
     */
    public BlockBitmap(long length, int granularity) {
        String wrong = wrongWith(length, granularity);
        if (wrong != null) {
            throw new IllegalArgumentException(wrong);
        }
        this.length = length;
        this.shift = Integer.numberOfTrailingZeros(granularity);
        this.blocks = ((length - 1) >>> shift) + 1;
        this.words = new long[(int) ((blocks + 63) >>> 6)];
    }

    /** Why there can be no such bitmap, or null. */
    static @Nullable String wrongWith(long length, int granularity) {
        if (length <= 0) {
            return "a disk of " + length + " bytes";
        }
        if (granularity < LEAST_GRANULARITY || Integer.bitCount(granularity) != 1) {
            return "a granularity is a power of two of " + LEAST_GRANULARITY + " bytes or more, not " + granularity;
        }
        return (length - 1) / granularity >= MOST_BLOCKS
                ? "a bitmap has at most " + MOST_BLOCKS + " blocks, too few of " + granularity + " bytes for " + length
                : null;
    }

    /**
     * Returns how long the disk is.
     *
     * @return bytes
     */
    public long length() {
        return length;
    }

    /**
     * Returns what a bit stands for.
     *
     * @return bytes, a power of two
     */
    public int granularity() {
        return 1 << shift;
    }

    /**
     * Returns how many blocks there are; the last one may be cut short by the disk's end.
     *
     * @return the number of bits in use
     */
    public long blocks() {
        return blocks;
    }

    /**
     * Marks all blocks that a write touches. Any thread.
     *
     * @param offset the write's first byte
     * @param count how many bytes; 0 marks nothing
     * @throws IndexOutOfBoundsException beyond the disk's end
     */
    public void mark(long offset, long count) {
        if (offset < 0 || count < 0 || offset > length - count) {
            throw new IndexOutOfBoundsException(count + " bytes at " + offset + " of a disk of " + length);
        }
        if (count > 0) {
            markBlocks(offset >>> shift, ((offset + count - 1) >>> shift) + 1);
        }
    }

    /** Marks all blocks. */
    public void markAll() {
        markBlocks(0, blocks);
    }

    void markBlocks(long from, long end) {
        for (long word = from >>> 6; word <= (end - 1) >>> 6; word++) {
            long mask = maskOf(word, from, end);
            if ((word((int) word) & mask) != mask) {
                long before = (long) WORDS.getAndBitwiseOr(words, (int) word, mask);
                marked.add(Long.bitCount(mask & ~before));
            }
        }
    }

    private static long maskOf(long word, long from, long end) {
        long first = word << 6;
        long mask = -1L;
        if (from > first) {
            mask &= -1L << (from - first);
        }
        if (end < first + 64) {
            mask &= -1L >>> (first + 64 - end);
        }
        return mask;
    }

    /**
     * Tells whether a block is marked.
     *
     * @param block its number, from 0
     * @return whether its bit is set
     */
    public boolean isMarked(long block) {
        return (word((int) (block >>> 6)) & 1L << block) != 0;
    }

    /**
     * Returns how many blocks are marked; while others mark, as many as were a moment ago.
     *
     * @return a count
     */
    public long markedBlocks() {
        return marked.sum();
    }

    /**
     * Looks for a marked block.
     *
     * @param from the first block to look at
     * @return the first marked one from there on, or {@link #blocks}
     */
    public long nextMarked(long from) {
        return next(from, 0);
    }

    /**
     * Looks for a block that is not marked.
     *
     * @param from the first block to look at
     * @return the first one from there on, or {@link #blocks}
     */
    public long nextUnmarked(long from) {
        return next(from, -1L);
    }

    /** Takes the marks of some blocks away; what is marked from now on is marked. */
    void unmark(long from, long end) {
        for (long word = from >>> 6; word <= (end - 1) >>> 6; word++) {
            long mask = maskOf(word, from, end);
            long before = (long) WORDS.getAndBitwiseAnd(words, (int) word, ~mask);
            marked.add(-Long.bitCount(mask & before));
        }
    }

    /** Takes all marks away. */
    public void clear() {
        unmark(0, blocks);
    }

    /** The first block from one on whose bit differs from those of a word of equal bits. */
    private long next(long from, long equal) {
        if (from >= blocks) {
            return blocks;
        }
        int i = (int) (from >>> 6);
        long different = (word(i) ^ equal) & -1L << from;
        while (different == 0) {
            i++;
            if (i == words.length) {
                return blocks;
            }
            different = word(i) ^ equal;
        }
        return Math.min(blocks, ((long) i << 6) + Long.numberOfTrailingZeros(different));
    }

    private long word(int index) {
        return (long) WORDS.getVolatile(words, index);
    }
}
