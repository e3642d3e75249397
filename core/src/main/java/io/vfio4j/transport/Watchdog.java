// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Bounds every wait on a channel: one thread that closes channels whose calls have lasted too long.
 *
 * <p>A blocking channel is the fastest, but has no time limit of its own; closing it from another thread ends the call
 * that blocks on it. Whoever makes the watchdog closes it, which ends its thread.
 */
final class Watchdog implements AutoCloseable {
    private static final long TICK_MILLIS = 50;

    private final Set<Bound> bounds = ConcurrentHashMap.newKeySet();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);

    /** Starts to watch, on a thread of the executor's. */
    Watchdog(Executor executor) {
        executor.execute(this::watch);
    }

    Bound bound(Closeable channel) {
        Bound bound = new Bound(channel);
        bounds.add(bound);
        return bound;
    }

    private void watch() {
        Thread thread = Thread.currentThread();
        String before = thread.getName();
        thread.setName("vfio4j-watchdog");
        try {
            while (!closing.await(TICK_MILLIS, TimeUnit.MILLISECONDS)) {
                long now = System.nanoTime();
                bounds.forEach(bound -> bound.closeIfOverdue(now));
            }
        } catch (InterruptedException e) {
            // The executor ends: whoever waits for a peer is not to wait for ever.
            bounds.forEach(Bound::giveUp);
            thread.interrupt();
        } finally {
            thread.setName(before);
            ended.countDown();
        }
    }

    /** Ends the thread and waits for its end. Does nothing the second time. */
    @Override
    public void close() {
        closing.countDown();
        boolean interrupted = false;
        while (ended.getCount() > 0) {
            try {
                ended.await();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * The time limit of one channel's calls in one direction.
     *
     * <p>A call begins and ends by writes to memory alone, for there is one per chunk, and a clock is a system call on
     * some hosts. The watchdog finds out by itself since when a call has been under way, to within a tick.
     */
    final class Bound {
        private static final long NONE = 0;

        private final Closeable channel;
        private volatile long calls;
        private volatile long limitNanos = NONE;
        private volatile boolean overdue;
        private volatile long last = NONE;
        private long seenCall;
        private long seenAt;

        private Bound(Closeable channel) {
            this.channel = channel;
        }

        /** Begins a call that may last so long. */
        @SuppressWarnings("NonAtomicVolatileUpdate") // one call at a time in one direction
        void begin(Duration limit) {
            calls++;
            limitNanos = Math.max(1, limit.toNanos());
        }

        /** Sets the end of all calls together, from now on; null takes it away. */
        void within(@Nullable Duration total) {
            if (total == null) {
                last = NONE;
            } else {
                long at = System.nanoTime() + total.toNanos();
                last = at == NONE ? 1 : at;
            }
        }

        void end() {
            limitNanos = NONE;
        }

        /** Whether the channel was closed because a call had lasted too long. */
        boolean overdue() {
            return overdue;
        }

        void release() {
            bounds.remove(this);
        }

        private void closeIfOverdue(long now) {
            long limit = limitNanos;
            long call = calls;
            if (call != seenCall) {
                seenCall = call;
                seenAt = now;
            }
            long latest = last;
            if (limit != NONE && (now - seenAt > limit || (latest != NONE && now - latest > 0))) {
                overdue = true;
                giveUp();
            }
        }

        private void giveUp() {
            bounds.remove(this);
            try {
                channel.close();
            } catch (IOException e) {
                // The channel is of no more use either way, and the blocked call reports what happened.
                limitNanos = NONE;
            }
        }
    }
}
