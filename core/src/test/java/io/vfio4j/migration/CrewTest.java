// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.Transport;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.Lock;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class CrewTest {
    private static final long LIMIT_NANOS = 60_000_000_000L;

    private final CountDownLatch mayEnd = new CountDownLatch(1);
    private boolean failureTold;
    private boolean waited;

    private record Someone(String name, Worker worker) implements Crew.Member {}

    /** Looks at what the crew waits for once a failure has been told, and lets the other one end then. */
    private final class Watched implements Execution {
        private final Execution real;

        private Watched(Execution real) {
            this.real = real;
        }

        @Override
        public boolean await(long deadline, BooleanSupplier condition) {
            if (failureTold && mayEnd.getCount() > 0) {
                waited = !condition.getAsBoolean();
                mayEnd.countDown();
            }
            return real.await(deadline, condition);
        }

        @Override
        public long nanoTime() {
            return real.nanoTime();
        }

        @Override
        public Task start(String name, Runnable work) {
            return real.start(name, work);
        }

        @Override
        public void changed() {
            real.changed();
        }

        @Override
        public Lock newLock() {
            return real.newLock();
        }

        @Override
        public Transport openTransport() {
            return real.openTransport();
        }
    }

    @Test
    void shouldNotSpinUntilTheOthersHaveEndedWhenOneHasFailed() {
        Execution threads = new ThreadedExecution(LibC.system(), ThreadedExecution.OWN_THREADS);
        Crew<Someone> crew = new Crew<>(new Watched(threads), LIMIT_NANOS, () -> false);
        crew.add(new Someone("bad", new Worker(threads, "test", "bad", null)));
        crew.add(new Someone("good", new Worker(threads, "test", "good", null)));

        assertThatThrownBy(() -> crew.all("step", this::work, () -> failureTold = true))
                .isInstanceOf(MigrationException.class)
                .hasMessage("bad: it fails");

        assertThat(waited).isTrue();
        assertThat(crew.dismiss()).isEmpty();
    }

    private void work(Someone someone) throws IOException {
        if (someone.name.equals("bad")) {
            throw new IOException("it fails");
        }
        try {
            mayEnd.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
