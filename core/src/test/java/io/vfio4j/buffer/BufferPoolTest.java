// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(LeakCheck.class)
class BufferPoolTest {
    private static final int PAGE = 4096;

    private final CountingLibC libc = new CountingLibC();

    @Test
    void shouldAlignEveryPayloadToAPage() {
        try (BufferPool pool = new BufferPool(libc, 5, 3 * PAGE, false)) {
            List<PooledBuffer> all = acquireAll(pool);
            for (PooledBuffer buffer : all) {
                assertThat((buffer.memory().address() + PooledBuffer.HEAD_ROOM) % PAGE)
                        .isZero();
                assertThat(buffer.memory().byteSize()).isEqualTo(4L * PAGE);
                assertThat(buffer.capacity()).isEqualTo(3 * PAGE);
                assertThat(buffer.view().isDirect()).isTrue();
                assertThat(buffer.view().order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
            }
            all.forEach(pool::release);
        }
    }

    @Test
    void shouldMapNoMoreThanItSays() {
        try (BufferPool pool = new BufferPool(libc, 4, 2 * PAGE, false)) {
            assertThat(pool.bytes()).isEqualTo(4L * 3 * PAGE);
            assertThat(libc.mapped).isEqualTo(pool.bytes());
        }
        assertThat(libc.unmapped).isEqualTo(libc.mapped);
    }

    @Test
    void shouldTouchEveryPageWhenItIsMade() throws IOException {
        try (BufferPool pool = new BufferPool(libc, 2, 15 * PAGE, false);
                RandomAccessFile pagemap = new RandomAccessFile("/proc/self/pagemap", "r")) {
            List<PooledBuffer> all = acquireAll(pool);
            for (PooledBuffer buffer : all) {
                long begin = buffer.memory().address();
                for (long page = begin; page < begin + buffer.memory().byteSize(); page += PAGE) {
                    assertThat(isPresent(pagemap, page)).isTrue();
                }
            }
            all.forEach(pool::release);
        }
    }

    @Test
    void shouldSayNothingIsFreeWhenAllIsInUse() {
        try (BufferPool pool = new BufferPool(libc, 64, PAGE, false)) {
            List<PooledBuffer> all = acquireAll(pool);
            assertThat(all).hasSize(64);
            assertThat(pool.freeCount()).isZero();
            assertThat(pool.tryAcquire()).isNull();

            all.get(17).length(9);
            pool.release(all.get(17));

            PooledBuffer again = pool.tryAcquire();
            assertThat(again).isSameAs(all.get(17));
            assertThat(all.get(17).length()).isZero();
            all.forEach(pool::release);
            assertThat(pool.freeCount()).isEqualTo(64);
        }
    }

    @Test
    void shouldRefuseToReleaseWhatIsNotInUseHere() {
        try (BufferPool pool = new BufferPool(libc, 2, PAGE, false);
                BufferPool other = new BufferPool(libc, 2, PAGE, false)) {
            PooledBuffer mine = acquire(pool);
            PooledBuffer foreign = acquire(other);
            assertThatThrownBy(() -> pool.release(foreign)).isInstanceOf(IllegalStateException.class);
            assertThat(pool.freeCount()).isEqualTo(1);
            pool.release(mine);
            assertThatThrownBy(() -> pool.release(mine)).isInstanceOf(IllegalStateException.class);
            assertThat(pool.freeCount()).isEqualTo(2);
            other.release(foreign);
        }
    }

    @Test
    void shouldRefuseAForeignBufferWhoseNumberThePoolDoesNotHave() {
        try (BufferPool pool = new BufferPool(libc, 1, PAGE, false);
                BufferPool larger = new BufferPool(libc, 2, PAGE, false)) {
            List<PooledBuffer> foreign = acquireAll(larger);
            assertThatThrownBy(() -> pool.release(foreign.get(1))).isInstanceOf(IllegalStateException.class);
            foreign.forEach(larger::release);
        }
    }

    @Test
    void shouldStayOpenWhenABufferIsInUse() {
        BufferPool pool = new BufferPool(libc, 2, PAGE, false);
        PooledBuffer buffer = acquire(pool);

        assertThatThrownBy(pool::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("1 buffers are still in use");
        buffer.view().put(0, (byte) 1);
        assertThat(libc.unmapped).isZero();

        pool.release(buffer);
        pool.close();
        pool.close();
        assertThat(libc.unmapped).isEqualTo(libc.mapped);
    }

    @ParameterizedTest
    @CsvSource({"0, 4096", "65, 4096", "1, 0", "1, 4095", "1, 5000", "1, 67112960"})
    void shouldRefuseSizesOutOfRange(int count, int capacity) {
        assertThatThrownBy(() -> new BufferPool(libc, count, capacity, false).close())
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(libc.mapped).isZero();
    }

    @Test
    void shouldRefuseLengthsBeyondTheCapacity() {
        try (BufferPool pool = new BufferPool(libc, 1, PAGE, false)) {
            PooledBuffer buffer = acquire(pool);
            buffer.length(PAGE);
            assertThatThrownBy(() -> buffer.length(PAGE + 1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> buffer.length(-1)).isInstanceOf(IllegalArgumentException.class);
            pool.release(buffer);
        }
    }

    @Test
    void shouldServeNormalPagesWhenThereAreNoHugeOnes() {
        libc.madviseResult = Errno.EINVAL.negated();
        try (BufferPool pool = new BufferPool(libc, 3, 1 << 20, true)) {
            assertThat(libc.advice).containsExactly(LibC.MADV_HUGEPAGE);
            assertThat(libc.mapped % (2 << 20)).isZero();
            PooledBuffer buffer = acquire(pool);
            buffer.view().put(PooledBuffer.HEAD_ROOM, (byte) 1);
            pool.release(buffer);
        }
    }

    @Test
    void shouldNotAskForHugePagesWhereNoneWouldBeFull() {
        try (BufferPool pool = new BufferPool(libc, 2, PAGE, true)) {
            assertThat(libc.advice).isEmpty();
            assertThat(libc.mapped).isEqualTo(pool.bytes());
        }
    }

    @Test
    void shouldSayHowMuchWhenTheKernelHasNotThatMuchMemory() {
        libc.mmapResult = Errno.ENOMEM.negated();
        assertThatThrownBy(() -> new BufferPool(libc, 1, PAGE, false).close())
                .isInstanceOf(OutOfMemoryError.class)
                .hasMessageContaining("ENOMEM");
    }

    @Test
    void shouldNeverGiveOneBufferToTwoThreads() throws InterruptedException {
        Seed seed = new Seed();
        int threads = 4;
        int buffers = 6;
        AtomicIntegerArray users = new AtomicIntegerArray(buffers);
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        try (BufferPool pool = new BufferPool(libc, buffers, PAGE, false)) {
            CountDownLatch start = new CountDownLatch(1);
            List<Thread> running = new ArrayList<>();
            Random seeds = seed.random();
            for (int i = 0; i < threads; i++) {
                Random random = new Random(seeds.nextLong());
                running.add(Thread.ofPlatform().start(() -> {
                    try {
                        start.await();
                        churn(pool, users, random);
                    } catch (Throwable t) {
                        failure.compareAndSet(null, t);
                    }
                }));
            }
            start.countDown();
            for (Thread thread : running) {
                thread.join();
            }
            assertThat(failure.get()).as(seed.toString()).isNull();
            assertThat(pool.freeCount()).as(seed.toString()).isEqualTo(buffers);
        }
    }

    private static void churn(BufferPool pool, AtomicIntegerArray users, Random random) {
        List<PooledBuffer> held = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            if (random.nextBoolean()) {
                PooledBuffer buffer = pool.tryAcquire();
                if (buffer != null) {
                    assertThat(users.incrementAndGet(buffer.index())).isEqualTo(1);
                    held.add(buffer);
                }
            } else if (!held.isEmpty()) {
                release(pool, users, held.remove(random.nextInt(held.size())));
            }
        }
        held.forEach(buffer -> release(pool, users, buffer));
    }

    private static void release(BufferPool pool, AtomicIntegerArray users, PooledBuffer buffer) {
        users.decrementAndGet(buffer.index());
        pool.release(buffer);
    }

    private static List<PooledBuffer> acquireAll(BufferPool pool) {
        List<PooledBuffer> all = new ArrayList<>();
        Set<Integer> indexes = new HashSet<>();
        for (PooledBuffer buffer = pool.tryAcquire(); buffer != null; buffer = pool.tryAcquire()) {
            assertThat(indexes.add(buffer.index())).isTrue();
            all.add(buffer);
        }
        return all;
    }

    private static PooledBuffer acquire(BufferPool pool) {
        PooledBuffer buffer = pool.tryAcquire();
        assertThat(buffer).isNotNull();
        return Objects.requireNonNull(buffer);
    }

    /** Bit 63 of a page's entry in /proc/self/pagemap: it is in memory. */
    private static boolean isPresent(RandomAccessFile pagemap, long address) throws IOException {
        pagemap.seek(address / PAGE * Long.BYTES);
        return Long.reverseBytes(pagemap.readLong()) < 0;
    }

    private static final class CountingLibC extends ForwardingLibC {
        private final List<Integer> advice = new ArrayList<>();
        private int madviseResult;
        private long mmapResult;
        private long mapped;
        private long unmapped;

        @Override
        public long mmap(long length, int protection, int flags, int fd, long offset) {
            if (mmapResult < 0) {
                return mmapResult;
            }
            mapped += length;
            return super.mmap(length, protection, flags, fd, offset);
        }

        @Override
        public int munmap(long address, long length) {
            unmapped += length;
            return super.munmap(address, length);
        }

        @Override
        public int madvise(long address, long length, int value) {
            advice.add(value);
            return madviseResult;
        }
    }
}
