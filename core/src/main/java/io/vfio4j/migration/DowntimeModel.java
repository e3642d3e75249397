// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.List;

/**
 * Learns, in the course of one migration, how long each part of a downtime takes, and adds them up.
 *
 * <p>One thread. Times come from the caller, so that tests need no clock.
 */
final class DowntimeModel {
    /** What one handler would send in the downtime, and how fast. */
    record Rest(long bytes, long bytesPerSecond) {}

    private long sourceArcNanos;
    private long destinationNanos;
    private long roundTripNanos;
    private long totalBytesPerSecond;

    /** Takes in how long the sources' devices took for an arc beside each other; the slowest counts. */
    void sourceArc(long nanos) {
        sourceArcNanos = Math.max(sourceArcNanos, nanos);
    }

    /** Takes in how long the destination will take to check all states and to run, as it has rehearsed it. */
    void destinationArcs(long nanos) {
        destinationNanos = Math.max(0, nanos);
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
     */
    Forecast forecast(
            int round, long elapsedNanos, long sentBytes, long requiredBytes, int acksOutstanding, List<Rest> rests) {
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
        // The source's arcs are to quiesce and to stop; the messages are END to LOADED and COMMIT to RUNNING.
        long transitions = 2 * sourceArcNanos + destinationNanos;
        return new Forecast(
                round,
                elapsedNanos,
                sentBytes,
                requiredBytes,
                acksOutstanding,
                pending,
                rate,
                transfer,
                transitions,
                2 * roundTripNanos);
    }
}
