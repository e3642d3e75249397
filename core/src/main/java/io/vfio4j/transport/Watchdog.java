// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Bounds every wait on a channel: one thread that closes channels whose calls have lasted too long.
 *
 * <p>A blocking channel is the fastest, but has no time limit of its own; closing it from another thread ends the call
 * that blocks on it. Whoever makes the watchdog closes it, which ends its thread.
 */
public final class Watchdog implements AutoCloseable {
    private static final long TICK_MILLIS = 50;

    private final Set<Bound> bounds = ConcurrentHashMap.newKeySet();
    private final Thread thread;
    private volatile boolean closed;

    /** Starts the thread. */
    public Watchdog() {
        thread = Thread.ofPlatform().name("vfio4j-watchdog").daemon().start(this::watch);
    }

    Bound bound(Closeable channel) {
        Bound bound = new Bound(channel);
        bounds.add(bound);
        return bound;
    }

    private void watch() {
        while (!closed) {
            long now = System.nanoTime();
            bounds.forEach(bound -> bound.closeIfOverdue(now));
            try {
                Thread.sleep(TICK_MILLIS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** Ends the thread and waits for its end. Does nothing the second time. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** The time limit of one channel's calls; one call at a time in each direction shares it. */
    final class Bound {
        private static final long NONE = 0;

        private final Closeable channel;
        private volatile long deadline = NONE;
        private volatile boolean overdue;
        private volatile long last = NONE;

        private Bound(Closeable channel) {
            this.channel = channel;
        }

        /** Begins a call that may last so long. Called per chunk: one clock reading and one volatile write. */
        void begin(Duration limit) {
            long at = System.nanoTime() + limit.toNanos();
            long latest = last;
            if (latest != NONE && at - latest > 0) {
                at = latest;
            }
            deadline = at == NONE ? 1 : at;
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
            deadline = NONE;
        }

        /** Whether the channel was closed because a call had lasted too long. */
        boolean overdue() {
            return overdue;
        }

        void release() {
            bounds.remove(this);
        }

        private void closeIfOverdue(long now) {
            long at = deadline;
            if (at != NONE && now - at > 0) {
                overdue = true;
                bounds.remove(this);
                try {
                    channel.close();
                } catch (IOException e) {
                    // The channel is of no more use either way, and the blocked call reports what happened.
                    deadline = NONE;
                }
            }
        }
    }
}
