// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/** Holds a sender back to a rate, which may change. One thread. */
final class Pace {
    private static final double NANOS_PER_SECOND = 1e9;

    /** A sender that was slow may catch up on this much, no more: else a pause would turn into a burst. */
    private static final long CATCH_UP_NANOS = 50_000_000;

    private long due;

    Pace(long now) {
        this.due = now;
    }

    /** Takes in that bytes were sent, and at which rate they may go; 0 bytes per second is no limit. */
    void sent(long bytes, long bytesPerSecond, long now) {
        due = bytesPerSecond > 0
                ? Math.max(due, now - CATCH_UP_NANOS) + (long) (bytes * NANOS_PER_SECOND / bytesPerSecond)
                : now;
    }

    /** Returns how long to wait before the next bytes may go; 0 or less when they may go now. */
    long waitNanos(long now) {
        return due - now;
    }
}
