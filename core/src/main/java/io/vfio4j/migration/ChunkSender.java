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
        private final InFlight inFlight;

        Direct(BufferPool pool, FrameChannel channel) {
            this.pool = pool;
            this.inFlight = new InFlight(channel, pool.count());
        }

        @Override
        public @Nullable PooledBuffer tryAcquire() throws IOException {
            releaseWritten();
            return pool.tryAcquire();
        }

        @Override
        public PooledBuffer acquire() throws IOException {
            PooledBuffer buffer = tryAcquire();
            if (buffer == null && !inFlight.isEmpty()) {
                pool.release(inFlight.await());
                buffer = pool.tryAcquire();
            }
            if (buffer == null) {
                throw new IllegalStateException("one buffer at a time is in use, yet none is free");
            }
            return buffer;
        }

        private void releaseWritten() throws IOException {
            PooledBuffer written = inFlight.poll();
            while (written != null) {
                pool.release(written);
                written = inFlight.poll();
            }
        }

        @Override
        public void giveBack(PooledBuffer buffer) {
            pool.release(buffer);
        }

        @Override
        public void send(PooledBuffer chunk) throws IOException {
            boolean sent = false;
            try {
                inFlight.write(chunk);
                sent = true;
            } finally {
                if (!sent) {
                    pool.release(chunk);
                }
            }
            releaseWritten();
        }

        @Override
        public void flush() {}

        @Override
        public void close() {
            inFlight.abandon(pool);
        }
    }

    /** Sends on a thread of its own, while the caller reads the next chunk. */
    final class Overlapped implements ChunkSender {
        private final BufferPool pool;
        private final InFlight inFlight;
        private final BufferExchange exchange;
        private final Execution.Task task;

        Overlapped(Execution execution, BufferPool pool, FrameChannel channel) {
            this.pool = pool;
            this.inFlight = new InFlight(channel, pool.count());
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
                        inFlight.write(chunk);
                        sent = true;
                    } finally {
                        if (!sent) {
                            // Not recycled: that would count as sent, and a flush could succeed before it heard of the
                            // failure.
                            pool.release(chunk);
                        }
                    }
                    chunk = next();
                }
            } catch (IOException e) {
                exchange.fail(e);
            } catch (RuntimeException | Error e) {
                exchange.fail(new IOException("sending failed: " + e, e));
            }
        }

        /** Takes the next chunk. What has gone is recycled meanwhile: all of it, before this waits for another one. */
        private @Nullable PooledBuffer next() throws IOException {
            PooledBuffer written = inFlight.poll();
            while (written != null) {
                exchange.recycle(written);
                written = inFlight.poll();
            }
            PooledBuffer chunk = exchange.poll();
            while (chunk == null && !inFlight.isEmpty()) {
                exchange.recycle(inFlight.await());
                chunk = exchange.poll();
            }
            return chunk == null ? exchange.take() : chunk;
        }

        @Override
        public void close() {
            exchange.finish();
            task.join();
            inFlight.abandon(pool);
            exchange.clear();
        }
    }
}
