// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Time, threads and chance of a simulation: one thread runs at a time, and a seed decides which is the next.
 *
 * <p>A thread runs until it waits. When all of them wait for something that has not happened, time goes on to the next
 * moment that one of them waits for; when there is none, they would wait for ever, and that is a failure.
 */
final class SimulatedWorld {
    static final long MICRO = 1_000;
    static final long MILLI = 1_000_000;
    static final long SECOND = 1_000_000_000;

    /** What no simulated migration may last. */
    private static final long END = 24 * 3600 * SECOND;

    private static final long REAL_SECONDS = 60;
    private static final int KEPT_LINES = 400;

    private final Random random;
    private final List<SimulatedThread> threads = new ArrayList<>();
    private final PriorityQueue<Long> moments = new PriorityQueue<>();
    private final List<String> trace = new ArrayList<>();
    private final CountDownLatch over = new CountDownLatch(1);
    private volatile @Nullable SimulatedThread current;
    private volatile @Nullable AssertionError broken;
    private long traceHash;
    private long now = SECOND;

    /** Ends a thread of a simulation that has failed. */
    private static final class Ended extends Error {
        private static final long serialVersionUID = 1;
    }

    /** One of the threads. */
    final class SimulatedThread {
        private final String name;
        private final Thread thread;
        private BooleanSupplier condition = () -> true;
        private long deadline = Long.MAX_VALUE;
        private boolean met;
        private volatile boolean done;

        private SimulatedThread(String name, Runnable work) {
            this.name = name;
            this.thread = Thread.ofVirtual().name("vfio4j-simulated-" + name).unstarted(() -> {
                try {
                    awaitTurn(this);
                    work.run();
                } catch (Ended e) {
                    note("ended early");
                } finally {
                    done = true;
                    handOver();
                }
            });
        }

        boolean isDone() {
            return done;
        }
    }

    SimulatedWorld(long seed) {
        random = new Random(seed);
    }

    /** Chance: the same for the same seed. */
    Random random() {
        return random;
    }

    long now() {
        return now;
    }

    /** Tells whether the caller is one of the threads. */
    boolean isRunning() {
        return current != null;
    }

    /** Adds a thread. */
    SimulatedThread start(String name, Runnable work) {
        SimulatedThread added = new SimulatedThread(name, work);
        threads.add(added);
        added.thread.start();
        return added;
    }

    /** Runs all threads until they have ended. */
    void run() {
        handOver();
        try {
            if (!over.await(REAL_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the simulation waits for something outside of it: " + waiting());
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        AssertionError failure = broken;
        if (failure != null) {
            throw failure;
        }
    }

    /** Records that something is wrong, which ends the simulation. */
    void fail(String what) {
        if (broken == null) {
            broken = new AssertionError(what);
        }
    }

    void note(String what) {
        if (broken != null) {
            return;
        }
        SimulatedThread thread = current;
        String line = now / MICRO + " µs " + (thread == null ? "-" : thread.name) + ": " + what;
        traceHash = traceHash * 31 + line.hashCode();
        if (trace.size() == KEPT_LINES) {
            trace.removeFirst();
        }
        trace.add(line);
    }

    /** What distinguishes this run from others. */
    long traceHash() {
        return traceHash;
    }

    String trace() {
        return String.join("\n", trace);
    }

    /** Lets the others go first, or not. */
    void letOthersRun() {
        await(Long.MAX_VALUE, () -> true);
    }

    void sleep(long nanos) {
        await(now + nanos, () -> false);
    }

    /** A condition may come true at this time, by nothing but its passing. */
    void wakeAt(long moment) {
        moments.add(moment);
    }

    /** Waits for a condition or a deadline. */
    boolean await(long deadline, BooleanSupplier condition) {
        SimulatedThread me = Objects.requireNonNull(current);
        me.condition = condition;
        me.deadline = deadline;
        handOver();
        awaitTurn(me);
        return me.met;
    }

    private void awaitTurn(SimulatedThread me) {
        while (current != me) {
            if (broken != null) {
                throw new Ended();
            }
            LockSupport.park(this);
        }
        if (broken != null) {
            throw new Ended();
        }
    }

    private void handOver() {
        SimulatedThread next = broken == null ? next() : null;
        if (next == null) {
            current = null;
            over.countDown();
            threads.forEach(thread -> LockSupport.unpark(thread.thread));
        } else {
            now += MICRO;
            current = next;
            LockSupport.unpark(next.thread);
        }
    }

    private @Nullable SimulatedThread next() {
        while (true) {
            List<SimulatedThread> ready = new ArrayList<>();
            long nearest = Long.MAX_VALUE;
            boolean allDone = true;
            for (SimulatedThread thread : threads) {
                if (!thread.done) {
                    allDone = false;
                    thread.met = thread.condition.getAsBoolean();
                    if (thread.met || thread.deadline <= now) {
                        ready.add(thread);
                    } else {
                        nearest = Math.min(nearest, thread.deadline);
                    }
                }
            }
            if (allDone) {
                return null;
            }
            if (!ready.isEmpty()) {
                return ready.get(random.nextInt(ready.size()));
            }
            while (!moments.isEmpty() && moments.peek() <= now) {
                moments.remove();
            }
            if (!moments.isEmpty()) {
                nearest = Math.min(nearest, moments.peek());
            }
            if (nearest > END) {
                fail("all wait for ever: " + waiting());
                return null;
            }
            now = nearest;
        }
    }

    private List<String> waiting() {
        return threads.stream()
                .filter(thread -> !thread.done)
                .map(thread -> thread.name)
                .toList();
    }
}
