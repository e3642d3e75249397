// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.buffer;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A fixed set of off-heap buffers: the one place where a migration's data lands, and so the bound of its memory.
 *
 * <p>All memory is mapped and touched when the pool is made. Acquiring and releasing neither allocates nor locks. Any
 * thread may acquire and release; whoever made the pool closes it, after all who use its buffers have stopped.
 */
public final class BufferPool implements AutoCloseable {
    /** How many buffers a pool can have. */
    public static final int MAX_BUFFERS = Long.SIZE;

    /** How large a payload can be: the largest that the stream allows. */
    public static final int MAX_CAPACITY = 64 << 20;

    private static final int PAGE = 4096;
    private static final long HUGE_PAGE = 2L << 20;

    /**
     * Before JDK 25 java.util.zip refuses memory of a closeable arena (JDK-8357145), and every frame is checksummed.
     */
    private static final boolean CLOSEABLE_ARENA = Runtime.version().feature() >= 25;

    private final Arena arena;
    private final PooledBuffer[] buffers;
    private final long bytes;
    private final AtomicLong free;
    private boolean closed;

    /**
     * Makes a pool.
     *
     * @param libc the system calls
     * @param count how many buffers, 1 to {@link #MAX_BUFFERS}
     * @param capacity how long a payload can be, in bytes: a multiple of 4096, at most {@link #MAX_CAPACITY}
     * @param hugePages whether to ask for transparent huge pages; where there are none, or less than one is needed,
     *     normal pages serve
     * @throws IllegalArgumentException for a count or capacity out of range
     * @throws OutOfMemoryError when the kernel has not that much memory
     */
    @SuppressWarnings("MustBeClosedChecker") // closed by close()
    public BufferPool(LibC libc, int count, int capacity, boolean hugePages) {
        if (count < 1 || count > MAX_BUFFERS) {
            throw new IllegalArgumentException("a pool has 1 to " + MAX_BUFFERS + " buffers, not " + count);
        }
        if (capacity < PAGE || capacity > MAX_CAPACITY || capacity % PAGE != 0) {
            throw new IllegalArgumentException(
                    "a buffer holds a multiple of " + PAGE + " bytes up to " + MAX_CAPACITY + ", not " + capacity);
        }
        arena = CLOSEABLE_ARENA ? Arena.ofShared() : Arena.ofAuto();
        long stride = PooledBuffer.HEAD_ROOM + (long) capacity;
        bytes = stride * count;
        // The kernel aligns only what has whole huge pages; what is behind the buffers is never touched.
        boolean huge = hugePages && bytes >= HUGE_PAGE;
        long mapped = huge ? (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE : bytes;
        MemorySegment memory = MappedMemory.map(libc, mapped, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        if (huge) {
            libc.madvise(memory.address(), bytes / HUGE_PAGE * HUGE_PAGE, LibC.MADV_HUGEPAGE);
        }
        // Touched by stores, for MADV_POPULATE_WRITE is younger than some kernels that have VFIO migration.
        for (long page = 0; page < bytes; page += PAGE) {
            memory.set(JAVA_BYTE, page, (byte) 0);
        }
        buffers = new PooledBuffer[count];
        for (int i = 0; i < count; i++) {
            buffers[i] = new PooledBuffer(i, memory.asSlice(i * stride, stride));
        }
        free = new AtomicLong(allFree());
    }

    /**
     * Takes a buffer if one is free.
     *
     * @return the buffer, with a payload of length 0; or null when all are in use
     */
    public @Nullable PooledBuffer tryAcquire() {
        while (true) {
            long mask = free.get();
            if (mask == 0) {
                return null;
            }
            long lowest = Long.lowestOneBit(mask);
            if (free.compareAndSet(mask, mask & ~lowest)) {
                PooledBuffer buffer = buffers[Long.numberOfTrailingZeros(lowest)];
                buffer.length(0);
                buffer.pages(null);
                return buffer;
            }
        }
    }

    /**
     * Gives a buffer back.
     *
     * @param buffer a buffer of this pool that the caller has acquired
     * @throws IllegalStateException for a buffer of another pool, or one that is free already
     */
    public void release(PooledBuffer buffer) {
        int index = buffer.index();
        long bit = 1L << index;
        if (index >= buffers.length || buffers[index] != buffer || !free(bit)) {
            throw new IllegalStateException("a buffer was released that is not in use in this pool");
        }
    }

    /**
     * Not by getAndUpdate(): its lambda would be an allocation per chunk wherever the compiler does not see it away.
     */
    private boolean free(long bit) {
        while (true) {
            long mask = free.get();
            if ((mask & bit) != 0) {
                return false;
            }
            if (free.compareAndSet(mask, mask | bit)) {
                return true;
            }
        }
    }

    /**
     * Returns how many buffers there are.
     *
     * @return the number, free or not
     */
    public int count() {
        return buffers.length;
    }

    /**
     * Returns how many buffers are free.
     *
     * @return 0 to {@link #count()}; all of them when nothing has leaked
     */
    public int freeCount() {
        return Long.bitCount(free.get());
    }

    /**
     * Returns how long a payload can be.
     *
     * @return bytes
     */
    public int capacity() {
        return buffers[0].capacity();
    }

    /**
     * Returns how much memory the pool takes.
     *
     * @return bytes, head-room included
     */
    public long bytes() {
        return bytes;
    }

    /**
     * Unmaps the memory. Does nothing the second time.
     *
     * @throws IllegalStateException while a buffer is in use; the pool stays open
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        if (free.get() != allFree()) {
            throw new IllegalStateException((count() - freeCount()) + " buffers are still in use");
        }
        closed = true;
        if (CLOSEABLE_ARENA) {
            arena.close();
        }
    }

    private long allFree() {
        return buffers.length == Long.SIZE ? -1L : (1L << buffers.length) - 1;
    }
}
