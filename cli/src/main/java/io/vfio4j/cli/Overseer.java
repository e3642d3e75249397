// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.Cancellation.CancelledException;
import io.vfio4j.cli.bench.Pulse;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Has a measurement made on a thread of its own, and waits for it as long as its drivers answer: a call that a driver
 * does not return from cannot be ended, but it can be left alone.
 */
final class Overseer implements Pulse {
    private final Duration limit;
    private volatile long lastBeat;
    private volatile boolean cancelled;
    private volatile boolean stuck;

    /** A measurement. */
    @FunctionalInterface
    interface Work {
        void run() throws IOException;
    }

    /** Makes one that waits that long for each call. */
    Overseer(Duration limit) {
        this.limit = limit;
    }

    /** Ends the measurement at its next beat. */
    boolean cancel() {
        cancelled = true;
        return true;
    }

    /** Whether a driver has not returned from a call: whatever is asked of it then may not return, too. */
    boolean isStuck() {
        return stuck;
    }

    @Override
    public void beat() throws CancelledException {
        lastBeat = System.nanoTime();
        if (cancelled) {
            throw new CancelledException("the measurement was cancelled");
        }
    }

    /**
     * Makes a measurement and waits for its end.
     *
     * @throws IOException the measurement's own; or when a driver has not returned from a call in time, which then goes
     *     on alone
     */
    void run(Work work) throws IOException {
        CompletableFuture<Void> end = new CompletableFuture<>();
        beat();
        Thread.ofPlatform().name("vfio4j-bench").daemon().start(() -> {
            try {
                work.run();
                end.complete(null);
            } catch (IOException | RuntimeException | Error e) {
                end.completeExceptionally(e);
            }
        });
        boolean done = false;
        while (!done) {
            done = await(end);
        }
    }

    private boolean await(CompletableFuture<Void> end) throws IOException {
        long left = limit.toNanos() - (System.nanoTime() - lastBeat);
        if (left <= 0 && !end.isDone()) {
            stuck = true;
            throw new IOException("a driver has not returned from a call for " + limit.toMillis()
                    + " ms; it is left alone, and the state of the device is not known");
        }
        try {
            end.get(Math.max(left, 0), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw failure(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** The measurement's failure as it is, for what it says of a device is still to be read. */
    private static IOException failure(@Nullable Throwable cause) {
        if (cause instanceof RuntimeException bug) {
            throw bug;
        }
        if (cause instanceof Error bug) {
            throw bug;
        }
        return cause instanceof IOException failure ? failure : new IOException("unexpected: " + cause, cause);
    }
}
