// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.testing.LeakCheck;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class WatchdogTest {
    private Thread thread = Thread.currentThread();

    private void start(Runnable work) {
        thread = Thread.ofPlatform().name("vfio4j-test").start(work);
    }

    @Test
    void shouldEndItsThreadWhenItIsClosed() throws InterruptedException {
        Watchdog watchdog = new Watchdog(this::start);
        watchdog.close();
        watchdog.close();
        thread.join();
        assertThat(thread.isAlive()).isFalse();
    }

    @Test
    void shouldKeepTheInterruptOfWhoClosesIt() {
        Watchdog watchdog = new Watchdog(this::start);
        Thread.currentThread().interrupt();
        watchdog.close();
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void shouldEndAllWaitsWhenItsThreadIsInterrupted() throws InterruptedException {
        CountDownLatch closed = new CountDownLatch(1);
        try (Watchdog watchdog = new Watchdog(this::start)) {
            watchdog.bound(closed::countDown).begin(Duration.ofDays(1));
            thread.interrupt();
            closed.await();
            assertThat(closed.getCount()).isZero();
        }
    }

    @Test
    void shouldCloseOnlyWhatIsOverdue() throws InterruptedException {
        CountDownLatch overdue = new CountDownLatch(1);
        CountDownLatch other = new CountDownLatch(1);
        try (Watchdog watchdog = new Watchdog(this::start)) {
            Watchdog.Bound late = watchdog.bound(overdue::countDown);
            Watchdog.Bound inTime = watchdog.bound(other::countDown);
            inTime.begin(Duration.ofDays(1));
            late.begin(Duration.ofNanos(1));
            overdue.await();
            assertThat(late.overdue()).isTrue();
            inTime.end();
            inTime.release();
        }
        assertThat(other.getCount()).isEqualTo(1);
    }
}
