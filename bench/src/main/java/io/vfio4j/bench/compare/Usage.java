// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.util.List;

/**
 * What a process used while it ran.
 *
 * @param samples its processor time at moments of CLOCK_MONOTONIC, in order
 * @param peakBytes the most memory that it had resident
 * @param ownCpuNanos what it says itself that the migration cost, or -1
 */
record Usage(List<Sample> samples, long peakBytes, long ownCpuNanos) {
    /** Processor time used up to a moment. */
    record Sample(long at, long cpuNanos) {}

    /** The processor time between two moments, or -1 when nothing is known of them. */
    long cpuBetween(long begin, long end) {
        if (ownCpuNanos >= 0) {
            return ownCpuNanos;
        }
        return samples.isEmpty() ? -1 : Math.max(0, cpuAt(end) - cpuAt(begin));
    }

    private long cpuAt(long moment) {
        Sample before = samples.getFirst();
        for (Sample sample : samples) {
            if (sample.at >= moment) {
                long span = sample.at - before.at;
                return span <= 0
                        ? sample.cpuNanos
                        : before.cpuNanos
                                + (long) ((sample.cpuNanos - before.cpuNanos) * ((double) (moment - before.at) / span));
            }
            before = sample;
        }
        return before.cpuNanos;
    }

    /** With what the process says of itself. */
    Usage own(long cpuNanos, long peak) {
        return new Usage(samples, peak, cpuNanos);
    }
}
