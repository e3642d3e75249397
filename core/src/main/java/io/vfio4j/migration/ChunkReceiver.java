// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.FrameKind;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Receives chunks of state, on the caller's thread or on one of its own. Chunks are checked before they are handed out.
 */
sealed interface ChunkReceiver extends AutoCloseable {

    /** Returns the next chunk, or null when END has come and its totals are right. */
    @Nullable
    PooledBuffer next() throws IOException;

    /** Gives a chunk's buffer back. */
    void release(PooledBuffer chunk);

    /** Stops; the channel has been closed or END has come before. All buffers are back in the pool thereafter. */
    @Override
    void close();

    static ChunkReceiver of(MigrationParameters parameters, BufferPool pool, FrameChannel channel) {
        return parameters.overlaps() ? new Overlapped(pool, channel) : new Direct(pool, channel);
    }

    /** Receives frames into a buffer until one of them is a chunk. Returns whether it is; false means END. */
    private static boolean receiveChunk(FrameChannel channel, PooledBuffer into) throws IOException {
        while (true) {
            FrameKind kind = channel.receive(into);
            switch (kind) {
                case DATA -> {
                    return true;
                }
                case END -> {
                    channel.verifyEnd(into);
                    return false;
                }
                case PING -> {}
                default -> throw channel.unexpected(kind, into, "DATA or END");
            }
        }
    }

    /** Receives on the caller's thread. */
    final class Direct implements ChunkReceiver {
        private final BufferPool pool;
        private final FrameChannel channel;

        Direct(BufferPool pool, FrameChannel channel) {
            this.pool = pool;
            this.channel = channel;
        }

        @Override
        public @Nullable PooledBuffer next() throws IOException {
            PooledBuffer buffer = pool.tryAcquire();
            if (buffer == null) {
                throw new IllegalStateException("one buffer at a time is in use, yet none is free");
            }
            boolean chunk = false;
            try {
                chunk = receiveChunk(channel, buffer);
            } finally {
                if (!chunk) {
                    pool.release(buffer);
                }
            }
            return chunk ? buffer : null;
        }

        @Override
        public void release(PooledBuffer chunk) {
            pool.release(chunk);
        }

        @Override
        public void close() {}
    }

    /** Receives on a thread of its own, while the caller writes the chunk before. */
    final class Overlapped implements ChunkReceiver {
        private final BufferPool pool;
        private final FrameChannel channel;
        private final BufferExchange exchange;
        private final Thread thread;

        Overlapped(BufferPool pool, FrameChannel channel) {
            this.pool = pool;
            this.channel = channel;
            this.exchange = new BufferExchange(pool);
            this.thread = Thread.ofPlatform().name("vfio4j-receive").daemon().start(this::run);
        }

        @Override
        public @Nullable PooledBuffer next() throws IOException {
            return exchange.take();
        }

        @Override
        public void release(PooledBuffer chunk) {
            exchange.recycle(chunk);
        }

        private void run() {
            try {
                boolean chunk = true;
                while (chunk) {
                    PooledBuffer buffer = exchange.acquire();
                    chunk = false;
                    try {
                        chunk = receiveChunk(channel, buffer);
                    } finally {
                        if (!chunk) {
                            pool.release(buffer);
                        }
                    }
                    if (chunk) {
                        exchange.put(buffer);
                    }
                }
                exchange.finish();
            } catch (IOException e) {
                exchange.fail(e);
            } catch (RuntimeException | Error e) {
                exchange.fail(new IOException("receiving failed: " + e, e));
            }
        }

        @Override
        public void close() {
            exchange.fail(new IOException("stopped"));
            Threads.join(thread);
            exchange.clear();
        }
    }
}
