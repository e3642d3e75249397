// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.MigrationFeatures;
import java.time.Duration;
import java.util.List;
import java.util.function.ToLongFunction;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What was found out about a device.
 *
 * @param device what it was called
 * @param peer what the device was called that took its state; null where there was none, and the runs are the source's
 *     part alone
 * @param identity what the device is
 * @param features what it has
 * @param arcs how long its arcs take
 * @param copies copies of its state with each chunk size, some of each
 * @param whole a copy made without pre-copy
 * @param dirty how fast it changes; null for a device without PRE_COPY
 * @param downtimeLimit what the runs had to keep to
 * @param runs the runs, at least one
 */
public record Findings(
        String device,
        @Nullable String peer,
        DeviceIdentity identity,
        MigrationFeatures features,
        ArcTimes arcs,
        List<CopyReport> copies,
        CopyReport whole,
        @Nullable DirtyReport dirty,
        Duration downtimeLimit,
        List<RunReport> runs) {
    private static final int DIGITS = 3;

    /** Copies the lists. */
    public Findings {
        copies = List.copyOf(copies);
        runs = List.copyOf(runs);
    }

    /**
     * Returns how fast state moves with each chunk size.
     *
     * @return in the order in which they were measured
     */
    public List<ChunkRates> chunkRates() {
        return ChunkRates.of(copies);
    }

    /**
     * Returns how fast state moves with the chunk size that is fastest: the median of its copies, reading and writing
     * with one thread, or reading alone without a peer.
     *
     * @return bytes per second; 0 where the state is too small to tell
     */
    public long throughput() {
        return chunkRates().stream()
                .mapToLong(rates -> rates.both().median())
                .max()
                .orElse(0);
    }

    /**
     * Returns how long the downtime was.
     *
     * @return nanoseconds of each run
     */
    public Histogram downtime() {
        return histogram(run -> run.downtime().total());
    }

    /**
     * Returns how long a part of the downtime was.
     *
     * @param part which
     * @return nanoseconds of each run
     */
    public Histogram downtime(DowntimePart part) {
        return histogram(run -> part.nanos(run.downtime()));
    }

    /**
     * Returns the longest downtime.
     *
     * @return nanoseconds
     */
    public long longestDowntime() {
        return runs.stream().mapToLong(run -> run.downtime().total()).max().orElse(0);
    }

    /**
     * Returns in how many runs the downtime was within its limit.
     *
     * @return 0 to the number of runs
     */
    public long runsWithinLimit() {
        return runs.stream()
                .filter(run -> run.downtime().total() <= downtimeLimit.toNanos())
                .count();
    }

    private Histogram histogram(ToLongFunction<RunReport> nanos) {
        Histogram histogram = new Histogram(DIGITS);
        runs.forEach(run -> histogram.recordValue(nanos.applyAsLong(run)));
        return histogram;
    }
}
