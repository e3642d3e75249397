// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.bench.Arc;
import io.vfio4j.cli.bench.ChunkRates;
import io.vfio4j.cli.bench.DirtyReport;
import io.vfio4j.cli.bench.DowntimePart;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.cli.bench.RunReport;
import io.vfio4j.cli.bench.Spread;
import io.vfio4j.cli.bench.Timeline;
import io.vfio4j.cli.plot.Chart;
import io.vfio4j.cli.plot.Chart.Axis;
import io.vfio4j.cli.plot.Chart.Point;
import io.vfio4j.cli.plot.Scale;
import io.vfio4j.cli.plot.Unit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/**
 * What was found out about a device, as charts. The colours are told apart by the colour-blind, too, and stand out from
 * a light and from a dark page.
 */
final class BenchCharts {
    private static final String INK = "currentColor";
    private static final String READ = "#2487cb";
    private static final String WRITE = "#d55e00";
    private static final String BOTH = "#009e73";
    private static final String LIMIT = "#e0334a";

    private static final double HEIGHT = 300;
    private static final double ARC_HEIGHT = 26;
    private static final int STEPS = 6;
    private static final int STRETCHES = 160;
    private static final double BAR = 0.4;

    private final Findings findings;

    /** A chart, and what its colours mean, in the order of a legend. */
    record Figure(String svg, Map<String, String> legend) {}

    BenchCharts(Findings findings) {
        this.findings = findings;
    }

    private static String colour(DowntimePart part) {
        return switch (part) {
            case STOP_VM -> "#8a8f96";
            case QUIESCE -> "#e09f1f";
            case STOP_COPY -> "#d55e00";
            case DRAIN -> READ;
            case LOAD -> "#009e73";
            case RESUME -> "#cc79a7";
        };
    }

    private static String background(String phase) {
        return switch (phase) {
            case "pre-copy" -> "#2487cb33";
            case "stop-copy" -> "#d55e0080";
            case "handover" -> "#009e7380";
            default -> "#80808026";
        };
    }

    /** The parts that took any time in any run. */
    List<DowntimePart> parts() {
        return List.of(DowntimePart.values()).stream()
                .filter(part -> findings.downtime(part).getMaxValue() > 0)
                .toList();
    }

    /** The parts of the downtime on top of each other, run by run. */
    Figure runs() {
        List<RunReport> runs = findings.runs();
        double limit = (double) findings.downtimeLimit().toNanos();
        double longest = runs.stream()
                .mapToLong(run -> Math.max(run.downtime().total(), run.predictedNanos()))
                .max()
                .orElse(0);
        // A limit far above would flatten all bars.
        boolean limitShown = limit <= 2 * longest;
        Scale height = Scale.linear(limitShown ? Math.max(longest, limit) : longest, STEPS, Unit.ofNanos(longest));
        Chart chart = new Chart(
                "Downtime of each run, by its parts",
                new Axis("run", Scale.ordinals(runs.size(), 2 * STEPS)),
                new Axis("downtime", height),
                HEIGHT);
        boolean predicted = false;
        for (int i = 0; i < runs.size(); i++) {
            RunReport run = runs.get(i);
            int number = i + 1;
            double bottom = 0;
            for (DowntimePart part : DowntimePart.values()) {
                double top = bottom + part.nanos(run.downtime());
                chart.bar(
                        new Point(number - BAR, bottom),
                        new Point(number + BAR, top),
                        colour(part),
                        "run " + number + ", " + part.label() + ": " + Format.time(part.nanos(run.downtime())));
                bottom = top;
            }
            if (run.predictedNanos() >= 0) {
                predicted = true;
                chart.mark(
                        new Point(number - BAR, run.predictedNanos()),
                        new Point(number + BAR, run.predictedNanos()),
                        INK);
            }
        }
        if (limitShown) {
            chart.limit(limit, LIMIT);
        }
        Map<String, String> legend = partsLegend();
        if (predicted) {
            legend.put("predicted", INK);
        }
        if (limitShown) {
            legend.put("limit", LIMIT);
        }
        return new Figure(chart.svg(), legend);
    }

    /** How many of the runs had a downtime, and each of its parts, no longer than what. */
    Figure downtimePercentiles() {
        Histogram whole = findings.downtime();
        double longest = (double) whole.getMaxValue();
        double last = lastShare(findings.runs().size());
        Chart chart = new Chart(
                "Percentiles of the downtime and its parts",
                new Axis("runs", Scale.percentiles(last)),
                new Axis("no longer than", Scale.linear(longest, STEPS, Unit.ofNanos(longest))),
                HEIGHT);
        for (DowntimePart part : parts()) {
            chart.steps(curve(findings.downtime(part), last), colour(part));
        }
        chart.steps(curve(whole, last), INK);
        Map<String, String> legend = new LinkedHashMap<>();
        legend.put("downtime", INK);
        legend.putAll(partsLegend());
        return new Figure(chart.svg(), legend);
    }

    /** The largest share to show: that of the largest value is 1, which lies nowhere on such a scale. */
    private static double lastShare(int count) {
        return 1 - 0.5 / count;
    }

    /** A share is reached with the value, so a step lies before it. */
    private static List<Point> curve(Histogram histogram, double last) {
        List<Point> steps = new ArrayList<>();
        double from = 0;
        for (HistogramIterationValue value : histogram.recordedValues()) {
            steps.add(new Point(from, value.getValueIteratedTo()));
            from = Math.min(value.getPercentileLevelIteratedTo() / 100, last);
        }
        steps.add(new Point(last, histogram.getMaxValue()));
        return steps;
    }

    /** The run with the middle downtime. */
    int middleRun() {
        List<RunReport> runs = findings.runs();
        return IntStream.range(0, runs.size())
                .boxed()
                .sorted(Comparator.comparingLong(run -> runs.get(run).downtime().total()))
                .toList()
                .get(runs.size() / 2);
    }

    /** The rate over the time of one run, with its phases behind it. */
    Figure throughput(RunReport run) {
        Timeline timeline = run.timeline();
        List<Timeline.Rate> rates = timeline.rates(STRETCHES);
        double fastest =
                rates.stream().mapToLong(Timeline.Rate::bytesPerSecond).max().orElse(0);
        double whole = (double) timeline.durationNanos();
        Chart chart = new Chart(
                "Rate over time, and the phases",
                new Axis("time", Scale.linear(whole, 2 * STEPS, Unit.ofNanos(whole))),
                new Axis("rate", Scale.linear(fastest, STEPS, Unit.ofRate(fastest))),
                HEIGHT);
        Map<String, String> legend = new LinkedHashMap<>();
        legend.put("rate", READ);
        List<Timeline.Phase> phases = timeline.phases();
        for (int i = 0; i < phases.size(); i++) {
            Timeline.Phase phase = phases.get(i);
            long end = i + 1 < phases.size() ? phases.get(i + 1).nanos() : timeline.durationNanos();
            chart.band((double) phase.nanos(), (double) end, background(phase.name()));
            legend.put(phase.name(), background(phase.name()));
        }
        List<Point> points = new ArrayList<>();
        for (Timeline.Rate rate : rates) {
            points.add(new Point(rate.fromNanos(), rate.bytesPerSecond()));
        }
        if (!rates.isEmpty()) {
            points.add(new Point(rates.getLast().toNanos(), rates.getLast().bytesPerSecond()));
        }
        return new Figure(chart.steps(points, READ).svg(), legend);
    }

    /** The rates with each chunk size: the medians, and from the slowest to the fastest copy. */
    Figure chunkSizes() {
        List<ChunkRates> all = findings.chunkRates();
        boolean written = findings.peer() != null;
        double fastest = all.stream()
                .mapToLong(rates -> Math.max(
                        rates.read().max(),
                        Math.max(rates.write().max(), rates.both().max())))
                .max()
                .orElse(0);
        Chart chart = new Chart(
                "Rate by chunk size",
                new Axis(
                        "chunk size",
                        Scale.categories(all.stream()
                                .map(rates -> Format.bytes(rates.chunkBytes()))
                                .toList())),
                new Axis("rate", Scale.linear(fastest, STEPS, Unit.ofRate(fastest))),
                HEIGHT);
        Map<String, String> legend = new LinkedHashMap<>();
        legend.put(written ? "read" : "read (there is no peer to write to)", READ);
        if (written) {
            legend.put("write", WRITE);
            legend.put("both, by one thread", BOTH);
            series(chart, all, ChunkRates::write, 0.06, WRITE);
            series(chart, all, ChunkRates::both, 0, BOTH);
        }
        series(chart, all, ChunkRates::read, written ? -0.06 : 0, READ);
        return new Figure(chart.svg(), legend);
    }

    private static void series(
            Chart chart, List<ChunkRates> all, Function<ChunkRates, Spread> which, double aside, String colour) {
        List<Point> medians = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            Spread spread = which.apply(all.get(i));
            chart.range(new Point(i + aside, spread.min()), new Point(i + aside, spread.max()), colour);
            medians.add(new Point(i + aside, spread.median()));
        }
        chart.line(medians, colour).dots(medians, colour);
    }

    /** What the driver said to be changed, over the time of the look. */
    Figure dirty(DirtyReport dirty) {
        List<Point> points = dirty.samples().stream()
                .map(sample -> new Point(sample.nanos(), sample.bytes()))
                .toList();
        double latest = points.getLast().x();
        double most = points.stream().mapToDouble(Point::y).max().orElse(0);
        Chart chart = new Chart(
                "What has changed since it was read",
                new Axis("time", Scale.linear(latest, 2 * STEPS, Unit.ofNanos(latest))),
                new Axis("to be read", Scale.linear(most, STEPS, Unit.ofBytes(most))),
                HEIGHT);
        Map<String, String> legend = new LinkedHashMap<>();
        legend.put("initial_bytes and dirty_bytes", READ);
        return new Figure(chart.line(points, READ).svg(), legend);
    }

    /** The times of each arc: the median, and from the shortest to the longest. */
    Figure arcs() {
        List<Arc> arcs = new ArrayList<>(findings.arcs().histograms().keySet()).reversed();
        List<Histogram> times = new ArrayList<>();
        arcs.forEach(arc -> times.add(findings.arcs().histograms().get(arc)));
        double shortest = times.stream().mapToLong(Histogram::getMinValue).min().orElse(1);
        double longest = times.stream().mapToLong(Histogram::getMaxValue).max().orElse(1);
        Chart chart = new Chart(
                "How long each arc takes",
                new Axis("time", Scale.decades(shortest, longest, BenchCharts::decade)),
                new Axis("", Scale.categories(arcs.stream().map(Arc::toString).toList())),
                ARC_HEIGHT * arcs.size());
        for (int i = 0; i < arcs.size(); i++) {
            Histogram each = times.get(i);
            chart.range(new Point(each.getMinValue(), i), new Point(each.getMaxValue(), i), READ);
            chart.dots(List.of(new Point(each.getValueAtPercentile(50), i)), READ);
        }
        Map<String, String> legend = new LinkedHashMap<>();
        legend.put("median, and from the shortest to the longest", READ);
        return new Figure(chart.svg(), legend);
    }

    private static String decade(double nanos) {
        Unit unit = Unit.ofNanos(nanos);
        return Math.round(nanos / unit.size()) + " " + unit.name();
    }

    private Map<String, String> partsLegend() {
        Map<String, String> legend = new LinkedHashMap<>();
        parts().forEach(part -> legend.put(part.label(), colour(part)));
        return legend;
    }
}
