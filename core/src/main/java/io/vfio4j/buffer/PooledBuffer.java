// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.buffer;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A buffer of a {@link BufferPool}: a page-aligned payload with head-room before it, so that a frame's header and its
 * payload lie side by side and leave in one call.
 *
 * <p>Acquired from the pool and released to it, never closed. It belongs to one thread at a time; handing it over, as a
 * queue does, hands over all of it.
 */
public final class PooledBuffer {
    /** How many bytes lie before the payload: one page, so that the payload is page-aligned too. */
    public static final int HEAD_ROOM = 4096;

    private final int index;
    private final MemorySegment memory;
    private final ByteBuffer view;
    private final int capacity;
    private int length;
    private @Nullable List<MemorySegment> pages;

    PooledBuffer(int index, MemorySegment memory) {
        this.index = index;
        this.memory = memory;
        this.view = memory.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        this.capacity = (int) (memory.byteSize() - HEAD_ROOM);
    }

    int index() {
        return index;
    }

    /**
     * Returns the whole memory, the head-room first.
     *
     * @return native memory; the payload begins at {@link #HEAD_ROOM}
     */
    public MemorySegment memory() {
        return memory;
    }

    /**
     * Returns the one view of the whole memory for channels and checksums; its position and limit are the user's to
     * set.
     *
     * @return a direct buffer, little-endian; the payload begins at {@link #HEAD_ROOM}
     */
    public ByteBuffer view() {
        return view;
    }

    /**
     * Sets the view to a part of the buffer.
     *
     * @param from the first byte's offset in the memory
     * @param to the offset behind the last byte
     * @return the view
     */
    public ByteBuffer view(int from, int to) {
        return view.limit(to).position(from);
    }

    /**
     * Returns how long a payload can be.
     *
     * @return bytes
     */
    public int capacity() {
        return capacity;
    }

    /**
     * Returns how long the payload is.
     *
     * @return bytes, 0 to {@link #capacity()}
     */
    public int length() {
        return length;
    }

    /**
     * Sets how long the payload is.
     *
     * @param bytes 0 to {@link #capacity()}
     * @throws IllegalArgumentException beyond that range
     */
    public void length(int bytes) {
        if (bytes < 0 || bytes > capacity) {
            throw new IllegalArgumentException("a payload of " + bytes + " bytes in a buffer of " + capacity);
        }
        length = bytes;
    }

    /**
     * Returns the memory that is sent behind the payload, from where it lies.
     *
     * @return the memory, in its order; null where the payload is all there is to send
     */
    public @Nullable List<MemorySegment> pages() {
        return pages;
    }

    /**
     * Makes the payload a table of memory that is sent behind it, from where it lies. Acquiring the buffer anew takes
     * that back.
     *
     * @param memory native memory, in its order, none longer than 2 GiB; it stays where it is until it was sent
     */
    public void pages(@Nullable List<MemorySegment> memory) {
        pages = memory;
    }
}
