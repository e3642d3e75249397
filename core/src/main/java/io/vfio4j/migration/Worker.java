// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.util.List;
import java.util.function.BooleanSupplier;
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

    /**
     * A part of what it does.
     *
     * @param name what messages and events call it
     * @param begins asked before it; if not, it and what is behind it is left out, and nothing is known of it
     * @param behind what is done when it is done, which is none of the handler's doing
     */
    record Part(String name, BooleanSupplier begins, Action action, Action behind) {
        Part(String name, Action action) {
            this(name, () -> true, action, () -> {});
        }
    }

    private static final long FOREVER = Long.MAX_VALUE / 2;

    /** One more for each sign of life. */
    private volatile long signs;

    private volatile boolean awaitsPeer;
    private volatile boolean placing;
    private long signsSeen;
    private long seenAt;

    private final Execution execution;
    private final Execution.Task task;
    private volatile @Nullable List<Part> parts;
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
     * @param inOrder its parts; one that fails is the last
     */
    void start(List<Part> inOrder) {
        failure = null;
        step = inOrder.getFirst().name;
        signsSeen = signs;
        seenAt = execution.nanoTime();
        parts = inOrder;
        execution.changed();
    }

    /** Tells whether the last action is done, well or badly. */
    boolean isIdle() {
        return parts == null;
    }

    /** What it does, or has done last. */
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
     * On the thread that receives, which need not be the worker's: the handler says where pages are to be put, or has
     * said so. That it takes long is not for the peer to answer for.
     */
    void places(boolean begins) {
        placing = begins;
    }

    /**
     * On the migration's thread: for how long nothing has been heard of the action, as far as this thread has looked.
     */
    long silentNanos() {
        long now = execution.nanoTime();
        long latest = signs;
        if ((awaitsPeer && !placing) || latest != signsSeen) {
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
                execution.await(execution.nanoTime() + FOREVER, () -> parts != null || ending);
                List<Part> next = parts;
                if (next == null) {
                    return;
                }
                failure = run(next);
                parts = null;
                execution.changed();
            }
        } finally {
            failure = atEnd == null ? null : run(new Part("cleanup", atEnd));
            ended = true;
            execution.changed();
        }
    }

    private @Nullable IOException run(List<Part> inOrder) {
        for (Part part : inOrder) {
            if (!part.begins.getAsBoolean()) {
                return null;
            }
            IOException thrown = run(part);
            if (thrown == null) {
                alive();
                thrown = attempt(part.behind);
            }
            if (thrown != null) {
                return thrown;
            }
        }
        return null;
    }

    private @Nullable IOException run(Part part) {
        step = part.name;
        StepEvent event = new StepEvent();
        event.begin();
        IOException thrown = attempt(part.action);
        if (event.shouldCommit()) {
            event.handler = handler;
            event.task = kind;
            event.step = step;
            event.failure = thrown == null ? null : MigrationException.message(thrown);
            event.commit();
        }
        return thrown;
    }

    /** A handler is somebody else's code: whatever it throws is a failure of the migration, and no more than that. */
    private static @Nullable IOException attempt(Action action) {
        try {
            action.run();
            return null;
        } catch (IOException e) {
            return e;
        } catch (RuntimeException | Error e) {
            return new IOException("unexpected: " + e, e);
        }
    }
}
