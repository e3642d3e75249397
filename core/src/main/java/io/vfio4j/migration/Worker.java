// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The thread that all calls of one handler are made on, one action after the other.
 *
 * <p>The migration's thread starts actions and looks whether they are done; it never makes the calls itself, for a
 * driver may keep a thread for as long as it likes.
 */
final class Worker {
    /** What a worker does. */
    @FunctionalInterface
    interface Action {
        void run() throws IOException;
    }

    private static final long FOREVER = Long.MAX_VALUE / 2;

    /** One more for each sign of life. */
    private volatile long signs;

    private volatile boolean awaitsPeer;
    private long signsSeen;
    private long seenAt;

    private final Execution execution;
    private final Execution.Task task;
    private volatile @Nullable Action action;
    private volatile String step = "";
    private volatile @Nullable IOException failure;
    private volatile boolean ending;
    private volatile boolean ended;
    private final String kind;
    private final String handler;
    private final @Nullable Action atEnd;

    /**
     * Starts the thread.
     *
     * @param kind what it does for the handler
     * @param handler the handler's name
     * @param atEnd what the thread does last, also when it comes back from a call that nobody waited for any more
     */
    Worker(Execution execution, String kind, String handler, @Nullable Action atEnd) {
        this.execution = execution;
        this.kind = kind;
        this.handler = handler;
        this.atEnd = atEnd;
        this.task = execution.start(kind + "-" + handler, this::work);
    }

    /**
     * Starts an action; the one before is done.
     *
     * @param name what it is, for messages
     */
    void start(String name, Action next) {
        failure = null;
        step = name;
        signsSeen = signs;
        seenAt = execution.nanoTime();
        action = next;
        execution.changed();
    }

    /** Tells whether the last action is done, well or badly. */
    boolean isIdle() {
        return action == null;
    }

    /** What the last action is. */
    String step() {
        return step;
    }

    /** Why the last action failed; null when it did not. When the thread has ended: why what it did last failed. */
    @Nullable
    IOException failure() {
        return failure;
    }

    /** On the worker's thread: it makes progress. Called per chunk: it does not read the clock. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes it
    void alive() {
        awaitsPeer = false;
        signs++;
    }

    /** On the worker's thread: what it waits for now is the peer, which has a limit of its own. */
    void awaitsPeer() {
        awaitsPeer = true;
    }

    /**
     * On the migration's thread: for how long nothing has been heard of the action, as far as this thread has looked.
     */
    long silentNanos() {
        long now = execution.nanoTime();
        long latest = signs;
        if (awaitsPeer || latest != signsSeen) {
            signsSeen = latest;
            seenAt = now;
        }
        return now - seenAt;
    }

    /** Lets the thread end after its action. */
    void end() {
        ending = true;
        execution.changed();
    }

    /** Tells whether the thread has done all that it will do. */
    boolean hasEnded() {
        return ended;
    }

    /** Waits for the thread that has nothing more to do. */
    void join() {
        task.join();
    }

    private void work() {
        try {
            while (true) {
                execution.await(execution.nanoTime() + FOREVER, () -> action != null || ending);
                Action next = action;
                if (next == null) {
                    return;
                }
                failure = run(next);
                action = null;
                execution.changed();
            }
        } finally {
            step = "cleanup";
            failure = atEnd == null ? null : run(atEnd);
            ended = true;
            execution.changed();
        }
    }

    /** A handler is somebody else's code: whatever it throws is a failure of the migration, and no more than that. */
    private @Nullable IOException run(Action action) {
        StepEvent event = new StepEvent();
        event.begin();
        IOException thrown = null;
        try {
            action.run();
        } catch (IOException e) {
            thrown = e;
        } catch (RuntimeException | Error e) {
            thrown = new IOException("unexpected: " + e, e);
        }
        if (event.shouldCommit()) {
            event.handler = handler;
            event.task = kind;
            event.step = step;
            event.failure = thrown == null ? null : MigrationException.message(thrown);
            event.commit();
        }
        return thrown;
    }
}
