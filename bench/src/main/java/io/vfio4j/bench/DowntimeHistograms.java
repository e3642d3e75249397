// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.observe.Downtime;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogWriter;

/** The distribution of a downtime and of each of its parts, in nanoseconds. One thread. */
final class DowntimeHistograms {
    private static final long HIGHEST_NANOS = TimeUnit.MINUTES.toNanos(1);
    private static final int DIGITS = 3;
    private static final double NANOS_PER_MICRO = 1e3;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double MILLIS_PER_SECOND = 1e3;

    private final long beginMillis;
    private final Map<String, Histogram> parts = new LinkedHashMap<>();

    /**
     * Makes empty ones.
     *
     * @param beginMillis when it began, in milliseconds of the Unix epoch
     */
    DowntimeHistograms(long beginMillis) {
        this.beginMillis = beginMillis;
    }

    /** Takes in one downtime; a part of more than a minute counts as a minute. */
    void record(Downtime downtime) {
        record("stop-vm", downtime.stopVm());
        record("quiesce", downtime.quiesce());
        record("stop-copy", downtime.stopCopy());
        record("drain", downtime.drain());
        record("load", downtime.load());
        record("resume", downtime.resume());
        record("downtime", downtime.total());
    }

    private void record(String part, long nanos) {
        parts.computeIfAbsent(part, name -> {
                    Histogram histogram = new Histogram(HIGHEST_NANOS, DIGITS);
                    histogram.setTag(name);
                    return histogram;
                })
                .recordValue(Math.min(nanos, HIGHEST_NANOS));
    }

    /**
     * Writes one interval per part, with the part as its tag, as HdrHistogram's log readers and plotters take it.
     *
     * @param to where to; stays the caller's
     * @param endMillis when it ended, in milliseconds of the Unix epoch
     */
    void writeLog(PrintStream to, long endMillis) {
        HistogramLogWriter log = new HistogramLogWriter(to);
        log.outputComment("vfio4j: the parts of the downtime; values in nanoseconds, the maximum in milliseconds");
        log.outputLogFormatVersion();
        log.outputStartTime(beginMillis);
        log.outputLegend();
        parts.values()
                .forEach(histogram -> log.outputIntervalHistogram(
                        beginMillis / MILLIS_PER_SECOND, endMillis / MILLIS_PER_SECOND, histogram, NANOS_PER_MILLI));
    }

    /** Returns a table for a person: a line per part, in microseconds. */
    String summary() {
        StringBuilder table = new StringBuilder(
                String.format(Locale.ROOT, "%-10s %10s %10s %10s %10s%n", "us", "p50", "p90", "p99", "max"));
        parts.forEach((part, histogram) -> table.append(String.format(
                Locale.ROOT,
                "%-10s %10.1f %10.1f %10.1f %10.1f%n",
                part,
                histogram.getValueAtPercentile(50) / NANOS_PER_MICRO,
                histogram.getValueAtPercentile(90) / NANOS_PER_MICRO,
                histogram.getValueAtPercentile(99) / NANOS_PER_MICRO,
                histogram.getMaxValue() / NANOS_PER_MICRO)));
        return table.toString();
    }
}
