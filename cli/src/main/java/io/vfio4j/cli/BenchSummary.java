// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.bench.Arc;
import io.vfio4j.cli.bench.ChunkRates;
import io.vfio4j.cli.bench.CopyReport;
import io.vfio4j.cli.bench.DirtyReport;
import io.vfio4j.cli.bench.DowntimePart;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.cli.bench.RunReport;
import io.vfio4j.cli.bench.Spread;
import io.vfio4j.device.VfioDevice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/** What was found out about a device, as tables and as fields. */
final class BenchSummary {
    private static final String TIMES_ROW = "%-30s %6s %11s %11s %11s %11s";
    private static final String RATES_ROW = "%-12s %14s %14s %14s   %s";
    private static final String SIZES_ROW = "%-14s %12s %14s";
    private static final int P50 = 50;
    private static final int P90 = 90;
    private static final int P99 = 99;

    private BenchSummary() {}

    static void tell(Findings findings, Result result) {
        result.field("type", findings.identity().type());
        result.field("driver", findings.identity().driver());
        result.field("stopCopy", findings.features().stopCopy());
        result.field("p2p", findings.features().p2p());
        result.field("preCopy", findings.features().preCopy());
        result.line(findings.device() + ", " + findings.identity().driver() + ", " + findings.features());
        result.line(
                findings.peer() == null
                        ? "no peer: what is said of the downtime is the source's part alone"
                        : "to and from " + findings.peer());
        result.line("");
        chunks(findings, result);
        dirty(findings.dirty(), result);
        sizes(findings, result);
        arcs(findings, result);
        runs(findings, result);
    }

    private static void chunks(Findings findings, Result result) {
        List<Object> fields = new ArrayList<>();
        result.line(String.format(Locale.ROOT, RATES_ROW, "chunk size", "read", "write", "both", "slowest to fastest"));
        for (ChunkRates rates : findings.chunkRates()) {
            Map<String, @Nullable Object> entry = new LinkedHashMap<>();
            entry.put("chunkBytes", rates.chunkBytes());
            entry.put("copies", rates.copies());
            entry.put("readBytesPerSecond", known(rates.read().median()));
            entry.put("writeBytesPerSecond", known(rates.write().median()));
            entry.put("bytesPerSecond", known(rates.both().median()));
            entry.put("slowestBytesPerSecond", known(rates.both().min()));
            entry.put("fastestBytesPerSecond", known(rates.both().max()));
            fields.add(entry);
            Spread both = rates.both();
            result.line(String.format(
                    Locale.ROOT,
                    RATES_ROW,
                    Format.bytes(rates.chunkBytes()),
                    rate(rates.read().median()),
                    rate(rates.write().median()),
                    rate(both.median()),
                    both.median() == 0 ? "-" : rate(both.min()) + " to " + rate(both.max())));
        }
        result.field("throughputBytesPerSecond", known(findings.throughput()));
        result.field("chunkSizes", fields);
        result.line("");
    }

    private static void dirty(@Nullable DirtyReport dirty, Result result) {
        if (dirty == null) {
            result.field("dirty", null);
            result.line("dirty rate   not known: the device has no PRE_COPY");
            result.line("");
            return;
        }
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("growthBytesPerSecond", dirty.growthPerSecond());
        entry.put("resentBytesPerSecond", dirty.resentPerSecond());
        entry.put("drained", dirty.drained());
        result.field("dirty", entry);
        result.line("dirty rate   " + Format.rate(dirty.growthPerSecond()) + " by what the driver says, "
                + Format.rate(dirty.resentPerSecond()) + " by what had to be read again"
                + (dirty.drained() ? "" : ", or more: it changes faster than it is read"));
        result.line("");
    }

    private static void sizes(Findings findings, Result result) {
        List<CopyReport> copies = findings.features().preCopy() ? findings.copies() : List.of();
        List<Object> fields = new ArrayList<>();
        fields.add(size(findings.whole(), false));
        copies.forEach(copy -> fields.add(size(copy, true)));
        result.field("stopCopySizes", fields);
        result.line(String.format(Locale.ROOT, SIZES_ROW, "stop-copy size", "said", "read"));
        result.line(sizesRow("whole state", List.of(findings.whole())));
        if (!copies.isEmpty()) {
            result.line(sizesRow("after pre-copy", copies) + "   medians of " + copies.size() + " copies");
        }
        result.line("");
    }

    private static Map<String, @Nullable Object> size(CopyReport copy, boolean afterPreCopy) {
        Map<String, @Nullable Object> entry = new LinkedHashMap<>();
        entry.put("afterPreCopy", afterPreCopy);
        entry.put("saidBytes", copy.saidBytes() == VfioDevice.UNKNOWN_STOP_COPY_LENGTH ? null : copy.saidBytes());
        entry.put("readBytes", copy.stopCopy().bytes());
        return entry;
    }

    private static String sizesRow(String name, List<CopyReport> copies) {
        List<String> medians = sizes(copies);
        return String.format(Locale.ROOT, SIZES_ROW, name, medians.getFirst(), medians.getLast());
    }

    /** The stop-copy size in the middle of some copies: what the driver said, and what was then read. */
    static List<String> sizes(List<CopyReport> copies) {
        long said = Spread.of(copies.stream().mapToLong(CopyReport::saidBytes)).median();
        long read = Spread.of(copies.stream().mapToLong(copy -> copy.stopCopy().bytes()))
                .median();
        return List.of(
                said == VfioDevice.UNKNOWN_STOP_COPY_LENGTH ? "unknown" : Format.bytes(said), Format.bytes(read));
    }

    private static void arcs(Findings findings, Result result) {
        List<Object> fields = new ArrayList<>();
        result.line(times("arc"));
        for (Map.Entry<Arc, Histogram> arc : findings.arcs().histograms().entrySet()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("from", arc.getKey().from().toString());
            entry.put("to", arc.getKey().to().toString());
            entry.putAll(percentiles(arc.getValue()));
            fields.add(entry);
            result.line(times(arc.getKey().toString(), arc.getValue()));
        }
        result.field("arcs", fields);
        result.line("");
    }

    private static void runs(Findings findings, Result result) {
        boolean sourceOnly = findings.peer() == null;
        Histogram downtime = findings.downtime();
        Map<String, Object> fields = percentiles(downtime);
        result.line(times(sourceOnly ? "downtime, source's part" : "downtime"));
        result.line(times("  all", downtime));
        for (DowntimePart part : DowntimePart.values()) {
            Histogram histogram = findings.downtime(part);
            fields.put(part.field(), percentiles(histogram));
            if (histogram.getMaxValue() > 0) {
                result.line(times("  " + part.label(), histogram));
            }
        }
        result.line("");
        result.line(findings.runsWithinLimit() + " of " + findings.runs().size() + " runs kept the limit of "
                + Format.roughTime(findings.downtimeLimit().toNanos()) + "; pre-copy at "
                + rate(Spread.of(findings.runs().stream().mapToLong(RunReport::bytesPerSecond))
                        .median())
                + " in the median");
        result.field("downtimeOfSourceOnly", sourceOnly);
        result.field("downtimeLimitNanos", findings.downtimeLimit().toNanos());
        result.field("runsWithinLimit", findings.runsWithinLimit());
        result.field("downtime", fields);
        result.field("runs", findings.runs().stream().map(BenchSummary::run).toList());
    }

    private static Map<String, @Nullable Object> run(RunReport run) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        fields.put("preCopyBytes", run.preCopyBytes());
        fields.put("stopCopyBytes", run.stopCopyBytes());
        fields.put("rounds", run.rounds());
        fields.put("linkBytesPerSecond", known(run.bytesPerSecond()));
        fields.put("predictedDowntimeNanos", run.predictedNanos() < 0 ? null : run.predictedNanos());
        fields.put("downtimeNanos", run.downtime().total());
        fields.put("downtime", Result.fields(run.downtime()));
        return fields;
    }

    private static Map<String, Object> percentiles(Histogram histogram) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("count", histogram.getTotalCount());
        fields.put("minNanos", histogram.getMinValue());
        fields.put("p50Nanos", histogram.getValueAtPercentile(P50));
        fields.put("p90Nanos", histogram.getValueAtPercentile(P90));
        fields.put("p99Nanos", histogram.getValueAtPercentile(P99));
        fields.put("maxNanos", histogram.getMaxValue());
        return fields;
    }

    private static String times(String title) {
        return String.format(Locale.ROOT, TIMES_ROW, title, "times", "min", "p50", "p90", "max");
    }

    private static String times(String name, Histogram histogram) {
        return String.format(
                Locale.ROOT,
                TIMES_ROW,
                name,
                histogram.getTotalCount(),
                Format.time(histogram.getMinValue()),
                Format.time(histogram.getValueAtPercentile(P50)),
                Format.time(histogram.getValueAtPercentile(P90)),
                Format.time(histogram.getMaxValue()));
    }

    private static @Nullable Long known(long rate) {
        return rate == 0 ? null : rate;
    }

    /** Such as {@code 970 MiB/s}; a dash where it is not known. */
    static String rate(long bytesPerSecond) {
        return bytesPerSecond == 0 ? "-" : Format.rate(bytesPerSecond);
    }
}
