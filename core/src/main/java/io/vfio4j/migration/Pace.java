// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.concurrent.locks.LockSupport;

/** Holds a sender back to a rate. One thread. */
final class Pace {
    private static final double NANOS_PER_SECOND = 1e9;

    /** A sender that was slow may catch up on this much, no more: else a pause would turn into a burst. */
    private static final long CATCH_UP_NANOS = 50_000_000;

    private final long bytesPerSecond;
    private long due;

    /** Makes a pace; 0 bytes per second is no limit. */
    Pace(long bytesPerSecond, long now) {
        this.bytesPerSecond = bytesPerSecond;
        this.due = now;
    }

    /** Takes in that bytes were sent, and waits until the next may go. */
    void sent(long bytes, long now) {
        if (bytesPerSecond == 0) {
            return;
        }
        due = Math.max(due, now - CATCH_UP_NANOS) + (long) (bytes * NANOS_PER_SECOND / bytesPerSecond);
        long wait = due - now;
        while (wait > 0) {
            LockSupport.parkNanos(this, wait);
            wait = due - System.nanoTime();
        }
    }
}
