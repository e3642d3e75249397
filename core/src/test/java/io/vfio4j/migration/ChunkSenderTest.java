// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.Connection;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class ChunkSenderTest {
    private static final int CHUNK = 1 << 20;

    private final Execution execution = new ThreadedExecution(LibC.system(), ThreadedExecution.OWN_THREADS);
    private final Written written = new Written();

    /** Keeps where in memory what is written comes from; each write waits until it may go. */
    private static final class Written implements Connection {
        final List<MemorySegment> writes = new ArrayList<>();
        final CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch mayGo = new CountDownLatch(0);
        private long completed = Long.MAX_VALUE;
        volatile int waits;

        /** From now on memory is kept until somebody waits for it. */
        void keepMemory() {
            completed = 0;
        }

        @Override
        public long writeInPlace(ByteBuffer from) {
            write(from);
            return writes.size();
        }

        @Override
        public synchronized boolean isWritten(long write) {
            return completed >= write;
        }

        @Override
        @SuppressWarnings("NonAtomicVolatileUpdate") // only the thread that writes waits
        public synchronized void awaitWritten(long write) {
            waits++;
            completed = write;
        }

        @Override
        public void write(ByteBuffer from) {
            begun.countDown();
            try {
                mayGo.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            writes.add(MemorySegment.ofBuffer(from));
            from.position(from.limit());
        }

        @Override
        public String peer() {
            return "nobody";
        }

        @Override
        public void limit(Duration wait) {}

        @Override
        public void within(@Nullable Duration total) {}

        @Override
        public void readsWait(boolean wait) {}

        @Override
        public void read(ByteBuffer to) {
            throw new IllegalStateException("nothing is read");
        }

        @Override
        public boolean atEnd(ByteBuffer scratch) {
            return true;
        }

        @Override
        public void stopReading() {}

        @Override
        public void close() {}
    }

    @Test
    void shouldSendHeaderAndPayloadInOneWriteFromTheBufferItself() throws Exception {
        FrameChannel channel = new FrameChannel(LibC.system(), execution, written, 1);
        try (BufferPool pool = new BufferPool(LibC.system(), 1, CHUNK, false);
                ChunkSender sender = new ChunkSender.Direct(pool, channel)) {
            PooledBuffer chunk = sender.acquire();
            long payload = chunk.memory().address() + PooledBuffer.HEAD_ROOM;
            chunk.length(CHUNK);

            sender.send(chunk);

            assertThat(written.writes).singleElement().satisfies(write -> {
                assertThat(write.address()).isEqualTo(payload - Frame.HEADER_BYTES);
                assertThat(write.byteSize()).isEqualTo(Frame.HEADER_BYTES + CHUNK);
            });
        } finally {
            channel.free();
        }
    }

    @Test
    void shouldNotReuseMemoryThatMayStillBeSentFrom() throws Exception {
        FrameChannel channel = new FrameChannel(LibC.system(), execution, written, 1);
        written.keepMemory();
        try (BufferPool pool = new BufferPool(LibC.system(), 2, 4096, false);
                ChunkSender sender = new ChunkSender.Direct(pool, channel)) {
            PooledBuffer first = sender.acquire();
            sender.send(first);
            PooledBuffer second = sender.acquire();
            sender.send(second);
            assertThat(second).isNotSameAs(first);
            assertThat(sender.tryAcquire()).isNull();
            assertThat(written.waits).isZero();

            PooledBuffer third = sender.acquire();

            assertThat(third).isSameAs(first);
            assertThat(written.waits).isEqualTo(1);
            sender.giveBack(third);
        } finally {
            channel.free();
        }
    }

    @Test
    void shouldFreeMemoryOnItsOwnThreadBeforeItWaitsForMore() throws Exception {
        FrameChannel channel = new FrameChannel(LibC.system(), execution, written, 1);
        written.keepMemory();
        try (BufferPool pool = new BufferPool(LibC.system(), 2, 4096, false);
                ChunkSender sender = new ChunkSender.Overlapped(execution, pool, channel)) {
            for (int i = 0; i < 100; i++) {
                PooledBuffer chunk = sender.acquire();
                chunk.length(1);
                sender.send(chunk);
            }
            sender.flush();

            assertThat(written.writes).hasSize(100);
            assertThat(pool.freeCount()).isEqualTo(2);
            assertThat(written.waits).isPositive();
        } finally {
            channel.free();
        }
    }

    @Test
    void shouldLetTheNextChunkBeReadWhileOneIsOnItsWay() throws Exception {
        FrameChannel channel = new FrameChannel(LibC.system(), execution, written, 1);
        written.mayGo = new CountDownLatch(1);
        try (BufferPool pool = new BufferPool(LibC.system(), 2, 4096, false);
                ChunkSender sender = new ChunkSender.Overlapped(execution, pool, channel)) {
            PooledBuffer first = sender.acquire();
            first.length(1);
            sender.send(first);
            written.begun.await();

            PooledBuffer second = sender.acquire();

            assertThat(second).isNotSameAs(first);
            assertThat(written.writes).isEmpty();
            second.length(2);
            sender.send(second);
            written.mayGo.countDown();
            sender.flush();
            assertThat(written.writes)
                    .extracting(write -> Objects.requireNonNull(write).byteSize() - Frame.HEADER_BYTES)
                    .containsExactly(1L, 2L);
        } finally {
            channel.free();
        }
    }
}
