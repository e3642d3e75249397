// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.observe.Downtime;
import java.util.List;

/**
 * Learns, in the course of one migration, how long each part of a downtime takes.
 *
 * <p>One thread. Times come from the caller, so that tests need no clock.
 */
final class DowntimeModel {
    /** What one handler would send in the downtime, and how fast. */
    record Rest(long bytes, long bytesPerSecond) {}

    private long stepNanos;
    private long stopVmNanos;
    private long arcNanos;
    private long quiesceNanos;
    private long stopNanos;
    private long resumeNanos;
    private long roundTripNanos;
    private long totalBytesPerSecond;

    /** Takes in how long a step of all handlers takes in which none has anything to do. */
    void step(long nanos) {
        stepNanos = Math.max(0, nanos);
    }

    /**
     * Takes in how long the slowest source device took for the arc to PRE_COPY: what is known of the way down where the
     * destination, which is alike, has not gone it.
     */
    void sourceArc(long nanos) {
        arcNanos = Math.max(0, nanos);
    }

    /** Takes in a switchover that was withdrawn: what it took to get that far, it will take again. */
    void withdrawn(long stopVm, long quiesce) {
        stopVmNanos = stopVm;
        quiesceNanos = quiesce;
    }

    /** Takes in how long the destination takes to STOP and back to RUNNING, as it has rehearsed it. */
    void destination(long stop, long resume) {
        stopNanos = Math.max(0, stop);
        resumeNanos = Math.max(0, resume);
    }

    /** Takes in how long a message and its answer travelled. */
    void roundTrip(long nanos) {
        roundTripNanos = Math.max(0, nanos);
    }

    /** Takes in the rate at which all handlers together have sent; the best that was seen is what the link can do. */
    void total(long bytesPerSecond) {
        totalBytesPerSecond = Math.max(totalBytesPerSecond, bytesPerSecond);
    }

    /**
     * Predicts the downtime if it began now. The handlers send beside each other: it takes as long as the slowest of
     * them, and as the link takes for all.
     *
     * @param settleNanos how long it took, the last time, until all that was sent had really gone
     */
    Forecast forecast(
            int round,
            long elapsedNanos,
            long sentBytes,
            long requiredBytes,
            int acksOutstanding,
            long settleNanos,
            List<Rest> rests) {
        long pending = 0;
        long slowest = 0;
        long link = totalBytesPerSecond;
        for (Rest rest : rests) {
            pending = Pending.sum(pending, rest.bytes);
            slowest = Math.max(slowest, Bandwidth.nanosFor(rest.bytes, rest.bytesPerSecond));
            link = Math.max(link, rest.bytesPerSecond);
        }
        boolean alone = rests.size() == 1;
        long rate = alone ? rests.getFirst().bytesPerSecond : link;
        long transfer = alone ? slowest : Math.max(slowest, Bandwidth.nanosFor(pending, rate));
        // The destination's way to STOP is both steps down of the source: RUNNING_P2P lies on it.
        long arc = stopNanos > 0 ? stopNanos / 2 : arcNanos;
        // Half of a step is to wake the threads up, half to hear from them; between steps they hear from each other.
        long half = stepNanos / 2;
        long meet = alone ? 0 : half;
        // END to LOADED, and COMMIT to RUNNING; who waits for the answer has to wake up.
        long answer = roundTripNanos + stepNanos;
        Downtime downtime = new Downtime(
                stopVmNanos,
                quiesceNanos > 0 ? quiesceNanos : half + arc,
                meet + arc,
                Pending.sum(transfer, meet + half),
                settleNanos + stopNanos + stepNanos + answer,
                resumeNanos + answer);
        return new Forecast(round, elapsedNanos, sentBytes, requiredBytes, acksOutstanding, pending, rate, downtime);
    }
}
