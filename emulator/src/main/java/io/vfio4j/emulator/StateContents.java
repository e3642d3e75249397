// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The state of a device: a file in memory, filled with data that does not compress; a sparse one with holes for the
 * most.
 *
 * <p>Guarded by the device's lock. Owns the file and its mapping until {@link #close()}.
 */
final class StateContents implements AutoCloseable {
    private static final long PAGE = 4096;
    private static final long FILL_BYTES = 1L << 18;
    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;
    /** Of so many blocks of a sparse state, the first holds data. */
    private static final int SPARSENESS = 1024;

    private final LibC libc;
    private final long size;
    private final int fd;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    /** Of a sparse state: the blocks that are no holes. */
    private final @Nullable BlockSet present;

    private final MemorySegment zeroes = arena.allocate(BlockSet.BLOCK_BYTES);
    private boolean closed;

    StateContents(LibC libc, long size, long seed, boolean sparse) {
        this.libc = libc;
        this.size = size;
        this.present = sparse ? new BlockSet(size) : null;
        fd = libc.memfdCreate("vfio4j-state", LibC.MFD_CLOEXEC);
        if (fd < 0) {
            throw new IllegalStateException("memfd_create failed: " + Errno.describe(fd));
        }
        boolean made = false;
        try {
            int result = libc.ftruncate(fd, size);
            if (result < 0) {
                throw new IllegalStateException(
                        "a state of " + ByteSize.format(size) + " cannot be made: " + Errno.describe(result));
            }
            if (present == null) {
                fill(seed, 0, size);
            } else {
                fillSome(seed, present);
            }
            memory = MappedMemory.map(libc, size, LibC.MAP_SHARED, fd, arena);
            made = true;
        } finally {
            if (!made) {
                close();
            }
        }
    }

    int fd() {
        return fd;
    }

    /** Changes every page of a block: the rest of the page stays, which is enough to be seen by any digest. */
    void change(int block, long value) {
        long begin = (long) block << BlockSet.BLOCK_BITS;
        long end = Math.min(begin + BlockSet.BLOCK_BYTES, size);
        for (long page = begin; page < end; page += PAGE) {
            memory.set(JAVA_LONG, page, mix(value + page));
        }
        if (present != null) {
            present.add(block);
        }
    }

    /** Puts data at a place by one {@code pwrite}; zeroes into holes leave them holes. */
    long put(MemorySegment data, long offset, long length, long at) {
        if (present != null) {
            int first = (int) (at >> BlockSet.BLOCK_BITS);
            int end = BlockSet.blocksOf(at + length);
            if (present.next(first) >= end && isZero(data, offset, length)) {
                return length;
            }
            present.addRange(first, end);
        }
        return libc.pwrite(fd, data, offset, length, at);
    }

    private boolean isZero(MemorySegment data, long offset, long length) {
        for (long done = 0; done < length; done += zeroes.byteSize()) {
            long n = Math.min(zeroes.byteSize(), length - done);
            long from = offset + done;
            if (MemorySegment.mismatch(data, from, from + n, zeroes, 0, n) >= 0) {
                return false;
            }
        }
        return true;
    }

    /**
     * Of a sparse state: of the places and digests of the blocks that are not zero, for reading a hole would fill it.
     */
    long digest() {
        if (present == null) {
            return Xxh64.of(memory, size);
        }
        long digest = size;
        for (int block = present.next(0); block < present.blocks(); block = present.next(block + 1)) {
            long begin = (long) block << BlockSet.BLOCK_BITS;
            long length = Math.min(BlockSet.BLOCK_BYTES, size - begin);
            if (!isZero(memory, begin, length)) {
                digest = mix(mix(digest + block) + Xxh64.of(memory.asSlice(begin, length), length));
            }
        }
        return digest;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            arena.close();
            libc.close(fd);
        }
    }

    /** The finaliser of SplitMix64: every value of a counter gives another, seemingly random one. */
    static long mix(long value) {
        long z = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    /** Fills the file by writes from a small buffer: a page that is written whole need not be zeroed before. */
    private void fill(long seed, long begin, long end) {
        MemorySegment buffer = arena.allocate(Math.min(FILL_BYTES, end - begin), PAGE);
        long counter = seed;
        for (long at = begin; at < end; ) {
            long length = Math.min(buffer.byteSize(), end - at);
            counter = fill(buffer, (int) length, counter);
            long put = libc.pwrite(fd, buffer, 0, length, at);
            if (put != length) {
                throw new IllegalStateException("a state of " + ByteSize.format(size) + " cannot be filled: "
                        + (put < 0 ? Errno.describe(put) : "no more memory"));
            }
            at += length;
        }
    }

    private void fillSome(long seed, BlockSet some) {
        for (int block = 0; block < some.blocks(); block += SPARSENESS) {
            long begin = (long) block << BlockSet.BLOCK_BITS;
            fill(mix(seed + block), begin, Math.min(begin + BlockSet.BLOCK_BYTES, size));
            some.add(block);
        }
    }

    private static long fill(MemorySegment buffer, int length, long from) {
        long counter = from;
        for (int i = 0; i < length; i += Long.BYTES) {
            counter += GOLDEN_GAMMA;
            buffer.set(JAVA_LONG, i, mix(counter));
        }
        return counter;
    }
}
