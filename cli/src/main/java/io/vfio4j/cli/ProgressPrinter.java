// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.Phase;
import java.io.PrintWriter;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * Shows a migration while it runs: one line that is redrawn on a terminal, else a line per phase and second. A
 * measurement has parts and steps instead of phases and progress.
 *
 * <p>The migration's threads only leave word here; a thread of the printer's own prints, so that a slow terminal cannot
 * stretch the downtime.
 */
final class ProgressPrinter implements MigrationListener, AutoCloseable {

    /** How progress is shown. */
    enum Mode {
        /** As it fits what standard error is. */
        AUTO,
        /** Line by line. */
        PLAIN,
        /** Not at all. */
        NONE
    }

    private static final long REDRAW_MILLIS = 100;
    private static final long PLAIN_NANOS = 1_000_000_000;
    private static final long RATE_NANOS = 400_000_000;
    private static final String ERASE = "\r\u001b[K";

    private final PrintWriter err;
    private final Mode mode;
    private final Terminal terminal;
    private final Queue<Phase> phases = new ConcurrentLinkedQueue<>();
    private final Queue<String> lines = new ConcurrentLinkedQueue<>();
    private final Queue<String> parts = new ConcurrentLinkedQueue<>();
    private volatile String step = "";
    private volatile @Nullable MigrationProgress latest;
    private volatile @Nullable Phase reached;
    private volatile boolean closed;
    private @Nullable Thread thread;

    private @Nullable Phase phase;
    private @Nullable String part;
    private String printedStep = "";
    private long lastPlain;
    private long rateBytes;
    private long rateNanos;
    private long rate;
    private boolean drawn;

    ProgressPrinter(PrintWriter err, Mode mode, Terminal terminal) {
        this.err = err;
        this.mode = mode;
        this.terminal = terminal;
    }

    /** Begins to print by itself. */
    ProgressPrinter start() {
        thread = Thread.ofPlatform().name("vfio4j-progress").daemon().start(this::run);
        return this;
    }

    @Override
    public void onListening(String address) {
        // A script may wait for this line to learn the port; so it is printed whatever the mode.
        say("listening on " + address);
    }

    @Override
    public void onPhase(Phase begun) {
        reached = begun;
        phases.add(begun);
    }

    @Override
    public void onProgress(MigrationProgress progress) {
        latest = progress;
    }

    @Override
    public void onNotice(String text) {
        say("note: " + text);
    }

    /** A part of a measurement has begun. */
    void part(String name) {
        step = "";
        parts.add(name);
    }

    /** The part goes on with this; what comes less than a second after another may never be shown. */
    void step(String name) {
        step = name;
    }

    /** Prints a line in full, in its turn. */
    void say(String line) {
        lines.add(line);
    }

    /** The last phase that the migration has told. */
    @Nullable
    Phase phase() {
        return reached;
    }

    private void run() {
        while (!closed) {
            paint(System.nanoTime());
            try {
                Thread.sleep(REDRAW_MILLIS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** Prints what has come since the last time. */
    synchronized void paint(long now) {
        int columns = mode == Mode.AUTO ? terminal.columns() : 0;
        for (String line = lines.poll(); line != null; line = lines.poll()) {
            erase();
            err.println(line);
        }
        for (Phase next = phases.poll(); next != null; next = phases.poll()) {
            phase = next;
            rateNanos = 0;
            rate = 0;
            if (mode != Mode.NONE && columns == 0) {
                err.println(ProgressLine.name(next));
                lastPlain = now;
            }
        }
        paintParts(now, columns);
        Phase current = phase;
        MigrationProgress told = latest;
        // What was told of the phase before says nothing of this one.
        MigrationProgress progress = told != null && told.phase() == current ? told : null;
        if (current != null && mode != Mode.NONE) {
            if (progress != null) {
                measure(progress, now);
            }
            if (columns > 0) {
                String line = ProgressLine.of(current, progress, rate);
                err.print(ERASE + ProgressLine.cut(line, columns));
                drawn = true;
            } else if (progress != null && now - lastPlain >= PLAIN_NANOS) {
                err.println(ProgressLine.of(current, progress, rate));
                lastPlain = now;
            }
        }
        err.flush();
    }

    private void paintParts(long now, int columns) {
        for (String next = parts.poll(); next != null; next = parts.poll()) {
            part = next;
            printedStep = "";
            if (mode != Mode.NONE && columns == 0) {
                err.println(next);
                lastPlain = now;
            }
        }
        String current = step;
        if (part == null || mode == Mode.NONE) {
            return;
        }
        String line = current.isEmpty() ? part : part + ": " + current;
        if (columns > 0) {
            err.print(ERASE + ProgressLine.cut(line, columns));
            drawn = true;
        } else if (!current.equals(printedStep) && now - lastPlain >= PLAIN_NANOS) {
            err.println(line);
            printedStep = current;
            lastPlain = now;
        }
    }

    /**
     * Takes the rate from what has gone since the last time: what the source tells is the link's, which a bandwidth
     * limit keeps from being used.
     */
    private void measure(MigrationProgress progress, long now) {
        if (rateNanos == 0) {
            rateNanos = now;
            rateBytes = progress.bytes();
        } else if (now - rateNanos >= RATE_NANOS) {
            rate = Format.perSecond(progress.bytes() - rateBytes, now - rateNanos);
            rateNanos = now;
            rateBytes = progress.bytes();
        }
    }

    private void erase() {
        if (drawn) {
            err.print(ERASE);
            drawn = false;
        }
    }

    /** Prints what is left to print and takes the redrawn line away. Does nothing the second time. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        Thread running = thread;
        if (running != null) {
            Threads.end(running);
        }
        paint(System.nanoTime());
        synchronized (this) {
            erase();
            err.flush();
        }
    }
}
