// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * How fast a running device changes its state.
 *
 * @param samples what {@code VFIO_MIG_GET_PRECOPY_INFO} said, over time
 * @param resentBytes how much could be read of what had changed, in bytes
 * @param resentNanos in what time it had changed, in nanoseconds
 * @param drained whether the device could be read faster than it changed; else it changes at least as fast
 */
public record DirtyReport(List<Sample> samples, long resentBytes, long resentNanos, boolean drained) {

    /**
     * What there was to read at one moment.
     *
     * @param nanos when, in nanoseconds since the first look
     * @param bytes {@code initial_bytes} and {@code dirty_bytes}
     */
    public record Sample(long nanos, long bytes) {}

    /** Copies the list. */
    public DirtyReport {
        samples = List.copyOf(samples);
    }

    /**
     * Estimates the rate from what the driver says: the slope of the straight line that fits the samples best.
     *
     * @return bytes per second, &ge; 0; 0 for fewer than two samples
     */
    public long growthPerSecond() {
        double meanTime = samples.stream().mapToLong(Sample::nanos).average().orElse(0);
        double meanBytes = samples.stream().mapToLong(Sample::bytes).average().orElse(0);
        double covariance = 0;
        double variance = 0;
        for (Sample sample : samples) {
            covariance += (sample.nanos() - meanTime) * (sample.bytes() - meanBytes);
            variance += (sample.nanos() - meanTime) * (sample.nanos() - meanTime);
        }
        return variance == 0 ? 0 : Math.max(0, Math.round(covariance / variance * TimeUnit.SECONDS.toNanos(1)));
    }

    /**
     * Estimates the rate from what had to be read again.
     *
     * @return bytes per second
     */
    public long resentPerSecond() {
        return resentNanos == 0 ? 0 : Math.round((double) resentBytes * TimeUnit.SECONDS.toNanos(1) / resentNanos);
    }
}
