// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Receives frames of state, on the caller's thread or on one of its own. They are checked before they are handed out.
 */
sealed interface ChunkReceiver extends AutoCloseable {

    /**
     * Returns the next frame: DATA, PAGES, EXTRA, ACK_WANTED, SWITCHOVER or LATER; or null when END has come in each
     * stream and its totals are right.
     */
    @Nullable
    PooledBuffer next() throws IOException;

    /** Gives a frame's buffer back. */
    void release(PooledBuffer chunk);

    /** Stops; the channel has been closed or END has come before. All buffers are back in the pool thereafter. */
    @Override
    void close();

    /** Where the pages of a stream belong. */
    @FunctionalInterface
    interface Places {
        List<MemorySegment> place(int stream, ByteBuffer table) throws IOException;
    }

    static ChunkReceiver of(
            MigrationParameters parameters,
            Execution execution,
            BufferPool pool,
            FrameChannel channel,
            Places places,
            int streams) {
        return parameters.overlaps()
                ? new Overlapped(execution, pool, channel, places, streams)
                : new Direct(pool, channel, places, streams);
    }

    /** Receives frames until one of them is to be handed out. Returns false for an END, with its totals checked. */
    private static boolean receiveFrame(FrameChannel channel, PooledBuffer into, Places places) throws IOException {
        while (true) {
            FrameKind kind = channel.receive(into);
            switch (kind) {
                case DATA, EXTRA, ACK_WANTED, SWITCHOVER, LATER -> {
                    return true;
                }
                case PAGES -> {
                    if (channel.notePages(into)) {
                        continue;
                    }
                    channel.receivePages(into, places.place(Frame.streamOf(into), channel.payloadOf(into)));
                    return true;
                }
                case END -> {
                    channel.verifyEnd(into);
                    return false;
                }
                case PING -> {}
                default ->
                    throw channel.unexpected(new FrameChannel.Received(kind, channel.payloadOf(into)), "DATA or END");
            }
        }
    }

    /** Receives on the caller's thread. */
    final class Direct implements ChunkReceiver {
        private final BufferPool pool;
        private final FrameChannel channel;
        private final Places places;
        private int openStreams;

        Direct(BufferPool pool, FrameChannel channel, Places places, int streams) {
            this.pool = pool;
            this.channel = channel;
            this.places = places;
            this.openStreams = streams;
        }

        @Override
        public @Nullable PooledBuffer next() throws IOException {
            PooledBuffer buffer = pool.tryAcquire();
            if (buffer == null) {
                throw new IllegalStateException("one buffer at a time is in use, yet none is free");
            }
            boolean frame = false;
            try {
                while (!frame && openStreams > 0) {
                    frame = receiveFrame(channel, buffer, places);
                    openStreams -= frame ? 0 : 1;
                }
            } finally {
                if (!frame) {
                    pool.release(buffer);
                }
            }
            return frame ? buffer : null;
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
        private final Places places;
        private int openStreams;
        private final BufferExchange exchange;
        private final Execution.Task task;

        Overlapped(Execution execution, BufferPool pool, FrameChannel channel, Places places, int streams) {
            this.pool = pool;
            this.channel = channel;
            this.places = places;
            this.openStreams = streams;
            this.exchange = new BufferExchange(pool);
            this.task = execution.start("receive", this::run);
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
                while (openStreams > 0) {
                    PooledBuffer buffer = exchange.acquire();
                    boolean frame = false;
                    try {
                        frame = receiveFrame(channel, buffer, places);
                    } finally {
                        if (!frame) {
                            pool.release(buffer);
                        }
                    }
                    if (frame) {
                        exchange.put(buffer);
                    } else {
                        openStreams--;
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
            task.join();
            exchange.clear();
        }
    }
}
