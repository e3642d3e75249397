// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/**
 * Learns, in the course of one migration, how long each part of a downtime takes, and adds them up.
 *
 * <p>One thread. Times come from the caller, so that tests need no clock.
 */
final class DowntimeModel {
    /** What is assumed of a link on which nothing has gone yet. */
    static final long UNMEASURED_BYTES_PER_SECOND = 100L << 20;

    /** Shorter windows measure the clock and the socket's buffer more than the link. */
    private static final long WINDOW_NANOS = 20_000_000;

    /** A shorter wait at a round's end says nothing about the link. */
    private static final long NOTABLE_NANOS = 1_000_000;

    /** How much of the rate a new window makes up: a change shows within a few windows, a hiccup does not. */
    private static final double NEW_WINDOW_WEIGHT = 0.3;

    private static final double NANOS_PER_SECOND = 1e9;

    private double bytesPerNano;
    private long windowBytes;
    private long windowNanos;
    private long roundBytes;
    private long roundNanos;
    private long sourceArcNanos;
    private long destinationNanos;
    private long roundTripNanos;

    /** Takes in that bytes went in a time in which the migration did nothing else. */
    void transferred(long bytes, long nanos) {
        roundBytes += bytes;
        roundNanos += nanos;
        windowBytes += bytes;
        windowNanos += nanos;
        if (windowNanos >= WINDOW_NANOS) {
            double rate = (double) windowBytes / windowNanos;
            bytesPerNano = bytesPerNano == 0 ? rate : bytesPerNano + NEW_WINDOW_WEIGHT * (rate - bytesPerNano);
            windowBytes = 0;
            windowNanos = 0;
        }
    }

    /**
     * Takes in that a round is over, and how long it took until all of it had really gone. What went into a queue or a
     * cache at the speed of memory counts as fast as it left that.
     */
    void settled(long nanos) {
        if (nanos >= NOTABLE_NANOS && roundBytes > 0) {
            double rate = (double) roundBytes / (roundNanos + nanos);
            bytesPerNano = bytesPerNano == 0 ? rate : Math.min(bytesPerNano, rate);
        }
        roundBytes = 0;
        roundNanos = 0;
    }

    /** Takes in how long an arc of the source's device took; the slowest counts. */
    void sourceArc(long nanos) {
        sourceArcNanos = Math.max(sourceArcNanos, nanos);
    }

    /** Takes in how long the destination's device will take to check its state and to run, as it has rehearsed it. */
    void destinationArcs(long nanos) {
        destinationNanos = Math.max(0, nanos);
    }

    /** Takes in how long a message and its answer travelled. */
    void roundTrip(long nanos) {
        roundTripNanos = Math.max(0, nanos);
    }

    long bytesPerSecond() {
        if (bytesPerNano > 0) {
            return (long) (bytesPerNano * NANOS_PER_SECOND);
        }
        // Less than a window has gone: what there is of it says more than a guess, once it is more than a few messages.
        return windowNanos > 0 && windowBytes > (1 << 20)
                ? (long) (windowBytes * NANOS_PER_SECOND / windowNanos)
                : UNMEASURED_BYTES_PER_SECOND;
    }

    Forecast forecast(int round, long elapsedNanos, long initialBytes, long pendingBytes) {
        long rate = Math.max(1, bytesPerSecond());
        double transfer = pendingBytes * NANOS_PER_SECOND / rate;
        // The source's arcs are to quiesce and to stop; the messages are END to LOADED and COMMIT to RUNNING.
        long transitions = 2 * sourceArcNanos + destinationNanos;
        return new Forecast(
                round,
                elapsedNanos,
                initialBytes,
                pendingBytes,
                rate,
                transfer >= Long.MAX_VALUE ? Long.MAX_VALUE : (long) transfer,
                transitions,
                2 * roundTripNanos);
    }
}
