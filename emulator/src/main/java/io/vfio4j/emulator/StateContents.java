// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The state of a device: a file in memory, filled with data that does not compress.
 *
 * <p>Guarded by the device's lock. Owns the file and its mapping until {@link #close()}.
 */
final class StateContents implements AutoCloseable {
    private static final long PAGE = 4096;
    private static final long FILL_BYTES = 1L << 18;
    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

    private final LibC libc;
    private final long size;
    private final int fd;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private boolean closed;

    StateContents(LibC libc, long size, long seed) {
        this.libc = libc;
        this.size = size;
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
            fill(seed);
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
    }

    long digest() {
        return Xxh64.of(memory, size);
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
    private void fill(long seed) {
        MemorySegment buffer = arena.allocate(FILL_BYTES, PAGE);
        long counter = seed;
        for (long at = 0; at < size; ) {
            long length = Math.min(FILL_BYTES, size - at);
            counter = fill(buffer, (int) length, counter);
            long put = libc.pwrite(fd, buffer, 0, length, at);
            if (put != length) {
                throw new IllegalStateException("a state of " + ByteSize.format(size) + " cannot be filled: "
                        + (put < 0 ? Errno.describe(put) : "no more memory"));
            }
            at += length;
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
