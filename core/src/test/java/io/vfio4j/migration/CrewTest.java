// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.Transport;
import java.io.IOException;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Lock;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LeakCheck.class)
class CrewTest {
    private static final long LIMIT_NANOS = 60_000_000_000L;

    private final CountDownLatch mayEnd = new CountDownLatch(1);
    private final Execution threads = new ThreadedExecution(LibC.system(), ThreadedExecution.OWN_THREADS);
    private boolean failureTold;
    private boolean waited;

    private record Someone(String name, Worker worker) implements Crew.Member {}

    /** Threads and their clock, of which a test makes something else. */
    private class Forwarding implements Execution {
        @Override
        public boolean await(long deadline, BooleanSupplier condition) {
            return threads.await(deadline, condition);
        }

        @Override
        public long nanoTime() {
            return threads.nanoTime();
        }

        @Override
        public Task start(String name, Runnable work) {
            return threads.start(name, work);
        }

        @Override
        public void changed() {
            threads.changed();
        }

        @Override
        public Lock newLock() {
            return threads.newLock();
        }

        @Override
        public Transport openTransport() {
            return threads.openTransport();
        }
    }

    /** Looks at what the crew waits for once a failure has been told, and lets the other one end then. */
    private final class Watched extends Forwarding {
        @Override
        public boolean await(long deadline, BooleanSupplier condition) {
            if (failureTold && mayEnd.getCount() > 0) {
                waited = !condition.getAsBoolean();
                mayEnd.countDown();
            }
            return super.await(deadline, condition);
        }
    }

    @Test
    void shouldNotSpinUntilTheOthersHaveEndedWhenOneHasFailed() {
        Crew<Someone> crew = crewOf(new Watched(), () -> false, "bad", "good");

        assertThatThrownBy(() -> crew.all("step", this::work, () -> failureTold = true))
                .isInstanceOf(MigrationException.class)
                .hasMessage("bad: it fails");

        assertThat(waited).isTrue();
        assertThat(crew.dismiss()).isEmpty();
    }

    private Crew<Someone> crewOf(Execution threads, BooleanSupplier impatient, String... names) {
        Crew<Someone> crew = new Crew<>(threads, LIMIT_NANOS, impatient);
        for (String name : names) {
            crew.add(new Someone(name, new Worker(threads, "test", name, null)));
        }
        return crew;
    }

    @Test
    void shouldBeginEachStepWhenAllHaveDoneTheOneBefore() throws Exception {
        Crew<Someone> crew = crewOf(threads, () -> false, "a", "b", "c");
        Queue<Integer> done = new ConcurrentLinkedQueue<>();

        crew.start(List.of(
                new Crew.Named<>("first", each -> done.add(1)),
                new Crew.Named<>("second", each -> done.add(2)),
                new Crew.Named<>("third", each -> done.add(3))));
        crew.finish(() -> {});

        assertThat(done).containsExactly(1, 1, 1, 2, 2, 2, 3, 3, 3);
        assertThat(crew.hasDone(1)).isTrue();
        assertThat(crew.doneAt(1)).isGreaterThanOrEqualTo(crew.doneAt(0));
        assertThat(crew.dismiss()).isEmpty();
    }

    @Test
    void shouldEndWellWhereTheNextStepIsNotToBegin() throws Exception {
        Crew<Someone> crew = crewOf(threads, () -> false, "a", "b");
        Queue<String> done = new ConcurrentLinkedQueue<>();

        crew.start(List.of(
                new Crew.Named<>("first", each -> done.add(each.name), () -> false),
                new Crew.Named<>("second", each -> done.add("more")),
                new Crew.Named<>("third", each -> done.add("more"))));
        crew.finish(() -> {});

        assertThat(done).containsExactlyInAnyOrder("a", "b");
        assertThat(crew.hasDone(0)).isTrue();
        assertThat(crew.hasDone(1)).isFalse();
        assertThat(crew.dismiss()).isEmpty();
    }

    @Test
    void shouldNotBeginTheNextStepWhenOneFailsAndNameItsFailureAlone() {
        Crew<Someone> crew = crewOf(threads, () -> false, "good", "bad", "fine");
        Queue<String> done = new ConcurrentLinkedQueue<>();

        crew.start(List.of(
                new Crew.Named<>("first", each -> {
                    if (each.name.equals("bad")) {
                        throw new IOException("it fails");
                    }
                }),
                new Crew.Named<>("second", each -> done.add(each.name))));

        assertThatThrownBy(() -> crew.finish(() -> {}))
                .hasMessage("bad: it fails")
                .hasNoSuppressedExceptions();
        assertThat(done).isEmpty();
        assertThat(crew.dismiss()).isEmpty();
    }

    @Test
    void shouldNotTakeForDoneWhatWasLeftOutWhenNobodyWantedToWait() {
        AtomicBoolean cancelled = new AtomicBoolean();
        Crew<Someone> crew = crewOf(threads, cancelled::get, "a", "b");
        Queue<String> done = new ConcurrentLinkedQueue<>();

        crew.start(List.of(
                new Crew.Named<>("first", each -> {
                    if (each.name.equals("b")) {
                        cancelled.set(true);
                        threads.changed();
                        work(each);
                    }
                }),
                new Crew.Named<>("second", each -> done.add(each.name))));

        assertThatThrownBy(() -> crew.finish(mayEnd::countDown))
                .isInstanceOfSatisfying(
                        MigrationException.class,
                        e -> assertThat(e.reason()).isEqualTo(MigrationException.Reason.CANCELLED));
        assertThat(done).isEmpty();
        assertThat(crew.dismiss()).isEmpty();
    }

    /** A clock that goes on with each look that the migration's thread takes at it, whatever the look is for. */
    private final class Leaping extends Forwarding {
        private final Thread owner = Thread.currentThread();
        private final AtomicLong now = new AtomicLong();
        private final long leap;

        Leaping(long leap) {
            this.leap = leap;
        }

        @Override
        public long nanoTime() {
            return Thread.currentThread().equals(owner) ? now.addAndGet(leap) : now.get();
        }

        @Override
        public boolean await(long deadline, BooleanSupplier condition) {
            boolean mine = Thread.currentThread().equals(owner);
            return super.await(mine ? threads.nanoTime() + 1_000_000 : Long.MAX_VALUE / 2, condition);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {2, 3, 5, 7, 10, 20, 50})
    void shouldNotWaitAtAGateForOneWhoIsGivenUp(long looks) {
        Crew<Someone> crew = crewOf(new Leaping(LIMIT_NANOS / looks), () -> false, "fine", "slow");

        crew.start(List.of(new Crew.Named<>("first", this::workIfSlow), new Crew.Named<>("second", each -> {
            throw new IOException("it is not to begin");
        })));

        assertThatThrownBy(() -> crew.finish(() -> {}))
                .hasMessageStartingWith("slow: it does not answer (first)")
                .hasNoSuppressedExceptions();
        mayEnd.countDown();
        end(crew);
    }

    /** Ends all threads, by the real clock. */
    private void end(Crew<Someone> crew) {
        List<Worker> workers = crew.members().stream().map(Someone::worker).toList();
        workers.forEach(Worker::end);
        threads.await(threads.nanoTime() + LIMIT_NANOS, () -> workers.stream().allMatch(Worker::hasEnded));
        workers.forEach(Worker::join);
    }

    @Test
    void shouldNameTheOneWhoWasTooSlowWhenItComesBackAfterAll() {
        Crew<Someone> crew = crewOf(new Leaping(LIMIT_NANOS / 4), () -> false, "fine", "slow");

        crew.start(List.of(new Crew.Named<>("first", this::workIfSlow), new Crew.Named<>("second", each -> {})));

        assertThatThrownBy(() -> crew.finish(() -> {
                    mayEnd.countDown();
                    threads.await(threads.nanoTime() + LIMIT_NANOS, crew::isIdle);
                }))
                .isInstanceOfSatisfying(
                        MigrationException.class,
                        e -> assertThat(e.reason()).isEqualTo(MigrationException.Reason.DEVICE))
                .hasMessage("slow: it has not answered for 60000 ms (first)");
        end(crew);
    }

    private void workIfSlow(Someone someone) throws IOException {
        if (someone.name.equals("slow")) {
            work(someone);
        }
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
