// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.TransportException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Chunks that have been written but may still be sent from, where the kernel does not copy: they go back into the pool
 * only when it has no more use for them.
 *
 * <p>For the thread that writes.
 */
final class InFlight {
    private final FrameChannel channel;
    private final @Nullable PooledBuffer[] chunks;
    private final long[] writes;
    private int first;
    private int count;

    /**
     * Makes room for chunks.
     *
     * @param most how many there can be: as many as the pool has
     */
    InFlight(FrameChannel channel, int most) {
        this.channel = channel;
        this.chunks = new PooledBuffer[most];
        this.writes = new long[most];
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** Writes a chunk, which is in flight thereafter; the caller's again when that fails. */
    void write(PooledBuffer chunk) throws TransportException, StreamException {
        long write = channel.sendData(chunk);
        int at = (first + count) % chunks.length;
        chunks[at] = chunk;
        writes[at] = write;
        count++;
    }

    /** Takes the oldest if it has gone; null when it has not, and when there is none. */
    @Nullable
    PooledBuffer poll() throws TransportException {
        return count > 0 && channel.isWritten(writes[first]) ? take() : null;
    }

    /** Takes the oldest, waiting until it has gone. */
    PooledBuffer await() throws TransportException {
        channel.awaitWritten(writes[first]);
        return take();
    }

    /** Gives all back that nobody waits for any more. */
    void abandon(BufferPool pool) {
        while (count > 0) {
            pool.release(take());
        }
    }

    private PooledBuffer take() {
        PooledBuffer chunk = Objects.requireNonNull(chunks[first]);
        chunks[first] = null;
        first = (first + 1) % chunks.length;
        count--;
        return chunk;
    }
}
