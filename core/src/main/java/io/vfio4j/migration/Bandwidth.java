// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/**
 * Learns how fast one handler's state goes: from the read of a piece until it is on the wire or on disk.
 *
 * <p>One thread; {@link #bytesPerSecond} any thread. Times come from the caller, so that tests need no clock.
 */
final class Bandwidth {
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
    private volatile long rate;

    /** Takes in that bytes went in a time in which nothing else was done. */
    void transferred(long bytes, long nanos) {
        roundBytes += bytes;
        roundNanos += nanos;
        windowBytes += bytes;
        windowNanos += nanos;
        if (windowNanos >= WINDOW_NANOS) {
            double window = (double) windowBytes / windowNanos;
            bytesPerNano = bytesPerNano == 0 ? window : bytesPerNano + NEW_WINDOW_WEIGHT * (window - bytesPerNano);
            windowBytes = 0;
            windowNanos = 0;
            rate = (long) (bytesPerNano * NANOS_PER_SECOND);
        }
    }

    /**
     * Takes in that a round is over, and how long it took until all of it had really gone. What went into a queue or a
     * cache at the speed of memory counts as fast as it left that.
     */
    void settled(long nanos) {
        if (nanos >= NOTABLE_NANOS && roundBytes > 0) {
            double round = (double) roundBytes / (roundNanos + nanos);
            bytesPerNano = bytesPerNano == 0 ? round : Math.min(bytesPerNano, round);
        }
        roundBytes = 0;
        roundNanos = 0;
        rate = measured();
    }

    private long measured() {
        if (bytesPerNano > 0) {
            return (long) (bytesPerNano * NANOS_PER_SECOND);
        }
        // Less than a window has gone: what there is of it says more than a guess, once it is more than a few messages.
        return windowNanos > 0 && windowBytes > (1 << 20) ? (long) (windowBytes * NANOS_PER_SECOND / windowNanos) : 0;
    }

    /** Tells whether anything has been measured. */
    boolean isMeasured() {
        return rate > 0;
    }

    long bytesPerSecond() {
        long measured = rate;
        return measured > 0 ? measured : UNMEASURED_BYTES_PER_SECOND;
    }

    /** How long bytes would take, saturated. */
    static long nanosFor(long bytes, long bytesPerSecond) {
        double nanos = bytes * NANOS_PER_SECOND / Math.max(1, bytesPerSecond);
        return nanos >= Long.MAX_VALUE ? Long.MAX_VALUE : (long) nanos;
    }
}
