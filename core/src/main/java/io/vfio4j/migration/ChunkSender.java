// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Sends chunks of state, on the caller's thread or on one of its own. */
sealed interface ChunkSender extends AutoCloseable {

    /** Takes a free buffer to read the next chunk into; null when there is none now. */
    @Nullable
    PooledBuffer tryAcquire() throws IOException;

    /** Takes a free buffer, waiting for one. */
    PooledBuffer acquire() throws IOException;

    /** Gives back a buffer that there was nothing to read into. */
    void giveBack(PooledBuffer buffer);

    /** Sends a chunk and gives its buffer back to the pool, now or later. */
    void send(PooledBuffer chunk) throws IOException;

    /** Waits until all chunks are sent: the channel is the caller's from then to the next {@link #send}. */
    void flush() throws IOException;

    /** Stops; the channel has been closed or flushed before. All buffers are back in the pool thereafter. */
    @Override
    void close();

    static ChunkSender of(MigrationParameters parameters, Execution execution, BufferPool pool, FrameChannel channel) {
        return parameters.overlaps() ? new Overlapped(execution, pool, channel) : new Direct(pool, channel);
    }

    /** Sends on the caller's thread: best where reading and sending would share a processor anyway. */
    final class Direct implements ChunkSender {
        private final BufferPool pool;
        private final FrameChannel channel;

        Direct(BufferPool pool, FrameChannel channel) {
            this.pool = pool;
            this.channel = channel;
        }

        @Override
        public @Nullable PooledBuffer tryAcquire() {
            return pool.tryAcquire();
        }

        @Override
        public PooledBuffer acquire() {
            PooledBuffer buffer = pool.tryAcquire();
            if (buffer == null) {
                throw new IllegalStateException("one buffer at a time is in use, yet none is free");
            }
            return buffer;
        }

        @Override
        public void giveBack(PooledBuffer buffer) {
            pool.release(buffer);
        }

        @Override
        public void send(PooledBuffer chunk) throws IOException {
            try {
                channel.sendData(chunk);
            } finally {
                pool.release(chunk);
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    /** Sends on a thread of its own, while the caller reads the next chunk. */
    final class Overlapped implements ChunkSender {
        private final BufferPool pool;
        private final FrameChannel channel;
        private final BufferExchange exchange;
        private final Execution.Task task;

        Overlapped(Execution execution, BufferPool pool, FrameChannel channel) {
            this.pool = pool;
            this.channel = channel;
            this.exchange = new BufferExchange(pool);
            this.task = execution.start("send", this::run);
        }

        @Override
        public @Nullable PooledBuffer tryAcquire() throws IOException {
            return exchange.tryAcquire();
        }

        @Override
        public PooledBuffer acquire() throws IOException {
            return exchange.acquire();
        }

        @Override
        public void giveBack(PooledBuffer buffer) {
            pool.release(buffer);
        }

        @Override
        public void send(PooledBuffer chunk) {
            exchange.put(chunk);
        }

        @Override
        public void flush() throws IOException {
            exchange.awaitConsumed();
        }

        private void run() {
            try {
                PooledBuffer chunk = exchange.take();
                while (chunk != null) {
                    boolean sent = false;
                    try {
                        channel.sendData(chunk);
                        sent = true;
                    } finally {
                        if (!sent) {
                            // Not recycled: that would count as sent, and a flush could succeed before it heard of the
                            // failure.
                            pool.release(chunk);
                        }
                    }
                    exchange.recycle(chunk);
                    chunk = exchange.take();
                }
            } catch (IOException e) {
                exchange.fail(e);
            } catch (RuntimeException | Error e) {
                exchange.fail(new IOException("sending failed: " + e, e));
            }
        }

        @Override
        public void close() {
            exchange.finish();
            task.join();
            exchange.clear();
        }
    }
}
