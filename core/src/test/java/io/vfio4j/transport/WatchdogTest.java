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
    @Test
    void shouldEndItsThreadWhenItIsClosed() {
        Watchdog watchdog = new Watchdog();
        assertThat(running()).isTrue();
        watchdog.close();
        watchdog.close();
        assertThat(running()).isFalse();
    }

    @Test
    void shouldKeepTheInterruptOfWhoClosesIt() {
        Watchdog watchdog = new Watchdog();
        Thread.currentThread().interrupt();
        watchdog.close();
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void shouldCloseOnlyWhatIsOverdue() throws InterruptedException {
        CountDownLatch overdue = new CountDownLatch(1);
        CountDownLatch other = new CountDownLatch(1);
        try (Watchdog watchdog = new Watchdog()) {
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

    private static boolean running() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("vfio4j-watchdog"));
    }
}
