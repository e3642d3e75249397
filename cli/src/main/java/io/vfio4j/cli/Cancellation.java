// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Leads a signal to the migration that runs, and holds the JVM until that has ended.
 *
 * <p>The command's thread announces what can be cancelled and, at last, its exit code; the thread of the JVM's shutdown
 * hook cancels and waits.
 */
final class Cancellation {
    /** How long a cancelled migration may take to bring the source back. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final long RETRY_MILLIS = 20;

    /** A migration that Ctrl-C can end. */
    private record Target(BooleanSupplier cancel, BooleanSupplier handedOver, Duration handoverLimit) {}

    private final CountDownLatch ended = new CountDownLatch(1);
    private @Nullable Target target;
    private boolean requested;
    private volatile Duration patience = PATIENCE;
    private volatile int exitCode;

    /**
     * Announces a migration, before it starts.
     *
     * @param cancel cancels it; false when that is not, or no longer, possible
     * @param handedOver whether it is no longer possible
     * @param handoverLimit how long the handover can take
     * @throws CancelledException when the signal came first: the migration must not start
     */
    synchronized void begin(BooleanSupplier cancel, BooleanSupplier handedOver, Duration handoverLimit)
            throws CancelledException {
        if (requested) {
            throw new CancelledException("the migration was cancelled before it began");
        }
        target = new Target(cancel, handedOver, handoverLimit);
    }

    /**
     * Says that what is left to do after a cancel may take longer than usual.
     *
     * @param limit how long, from when it was cancelled
     */
    void allow(Duration limit) {
        patience = limit;
    }

    /** Says that the command has printed everything. */
    void ended(int code) {
        exitCode = code;
        ended.countDown();
    }

    /**
     * Cancels and waits for the command's end; does nothing after it.
     *
     * @param err for the person who pressed Ctrl-C
     * @return the command's exit code, or that of CANCELLED where there was nothing to wait for or it did not end
     */
    int cancelAndWait(PrintWriter err) {
        if (ended.getCount() == 0) {
            return exitCode;
        }
        Target running;
        synchronized (this) {
            requested = true;
            running = target;
        }
        if (running == null) {
            return ExitCode.CANCELLED.code();
        }
        Duration handover = Duration.ZERO;
        long begin = System.nanoTime();
        boolean done = false;
        boolean asked = false;
        boolean late = false;
        while (!done && System.nanoTime() - begin < handover.plus(patience).toNanos()) {
            // Until the migration has started, and from the handover on, there is nothing that takes a cancel.
            if (!asked && running.cancel().getAsBoolean()) {
                asked = true;
                err.println("cancelling ...");
            }
            if (!asked && !late && running.handedOver().getAsBoolean()) {
                late = true;
                handover = running.handoverLimit();
                err.println("too late to cancel: the handover completes");
            }
            err.flush();
            done = await();
        }
        if (done) {
            return exitCode;
        }
        err.println("warning: the migration did not end within "
                + handover.plus(patience).toSeconds()
                + " s; the kernel takes the devices back when this process ends");
        err.flush();
        return ExitCode.CANCELLED.code();
    }

    private boolean await() {
        try {
            return ended.await(RETRY_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            // Nobody interrupts a shutdown hook; if somebody does, the JVM need not wait.
            Thread.currentThread().interrupt();
            return true;
        }
    }

    /** Says that Ctrl-C came before a migration began, or ended something else. */
    static final class CancelledException extends IOException {
        private static final long serialVersionUID = 1L;

        CancelledException(String message) {
            super(message);
        }
    }
}
