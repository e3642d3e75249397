// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.BenchCharts.Figure;
import io.vfio4j.cli.bench.Arc;
import io.vfio4j.cli.bench.ChunkRates;
import io.vfio4j.cli.bench.CopyReport;
import io.vfio4j.cli.bench.DirtyReport;
import io.vfio4j.cli.bench.DowntimePart;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.cli.bench.RunReport;
import io.vfio4j.cli.plot.Markup;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** What was found out about a device, as one page of HTML that needs no script and nothing from elsewhere. */
final class BenchPage {
    private static final int P50 = 50;
    private static final int P90 = 90;
    private static final int P99 = 99;

    /** The policy makes sure of what the class promises: a browser would load nothing and run nothing. */
    private static final String HEAD = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <style>
            :root { color-scheme: light dark; --paper: #f4f5f7; --card: #fff; --edge: #dfe2e6; --text: #1c1f23; --soft: #5b636d; }
            @media screen and (prefers-color-scheme: dark) {
              :root { --paper: #14161a; --card: #1d2026; --edge: #343941; --text: #e4e6e9; --soft: #a0a8b2; }
            }
            body { margin: 0; background: var(--paper); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
            main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
            h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
            h2 { font-size: 1.15rem; margin: 0 0 .3rem; }
            h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
            p { margin: .2rem 0 .8rem; max-width: 46rem; color: var(--soft); overflow-wrap: anywhere; }
            section, .tile { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; }
            section { padding: 1rem 1.2rem; margin: 1rem 0; }
            .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
            .tile { padding: .7rem 1rem; }
            .tile strong { display: block; font-size: 1.35rem; white-space: nowrap; }
            .tile span { color: var(--soft); font-size: .9rem; }
            figure { margin: 0; overflow-x: auto; }
            svg { display: block; width: 100%; min-width: 36rem; height: auto; font-family: system-ui, sans-serif; }
            svg text { fill: var(--soft); }
            ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .4rem 0 .8rem; padding: 0; font-size: .9rem; }
            li i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
            .scroll { overflow-x: auto; }
            table { border-collapse: collapse; font-size: .9rem; margin-top: .4rem; }
            th, td { padding: .2rem .8rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--edge); font-variant-numeric: tabular-nums; }
            th:first-child, td:first-child { text-align: left; padding-left: 0; }
            th { font-weight: 600; color: var(--soft); }
            tr:last-child td { border-bottom: 0; }
            @media print { body { background: #fff; } section { break-inside: avoid; } }
            </style>
            """;

    private final Findings findings;
    private final Instant when;
    private final BenchCharts charts;
    private final Markup page = new Markup();

    BenchPage(Findings findings, Instant when) {
        this.findings = findings;
        this.when = when;
        this.charts = new BenchCharts(findings);
    }

    String html() {
        page.raw(HEAD)
                .element("title", "vfio4j bench " + findings.device())
                .raw("</head>\n")
                .begin("body")
                .begin("main");
        header();
        tiles();
        downtime();
        throughput();
        chunkSizes();
        dirty();
        sizes();
        arcs();
        return page.end().end().raw("\n</html>\n").toString();
    }

    private void header() {
        page.element("h1", findings.device())
                .element(
                        "p",
                        "vfio4j bench, " + when.truncatedTo(ChronoUnit.SECONDS) + ". Type "
                                + findings.identity().type() + ", driver "
                                + findings.identity().driver() + ", migration features " + findings.features() + ". "
                                + (findings.peer() == null
                                        ? "No peer: the state was read and dropped."
                                        : "Migrated to " + findings.peer() + " and back.")
                                + " Java " + Runtime.version().feature() + " on "
                                + System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
                                + System.getProperty("os.arch") + ", "
                                + Runtime.getRuntime().availableProcessors() + " processors.");
    }

    private void tiles() {
        Histogram whole = findings.downtime();
        String downtime = findings.peer() == null ? "downtime, source’s part" : "downtime";
        page.begin("div", "class", "tiles");
        tile(Format.time(whole.getValueAtPercentile(P50)), downtime + ", median of " + whole.getTotalCount());
        tile(Format.time(findings.longestDowntime()), downtime + ", longest");
        tile(BenchSummary.rate(findings.throughput()), "state moves, with the fastest chunk size");
        DirtyReport dirty = findings.dirty();
        tile(dirty == null ? "unknown" : Format.rate(dirty.growthPerSecond()), "dirty rate");
        tile(Format.bytes(findings.whole().stopCopy().bytes()), "state");
        page.end();
    }

    private void tile(String value, String name) {
        page.begin("div", "class", "tile")
                .element("strong", value)
                .element("span", name)
                .end();
    }

    private void downtime() {
        boolean sourceOnly = findings.peer() == null;
        section(
                sourceOnly ? "Downtime, the source’s part" : "Downtime",
                sourceOnly
                        ? "From the first step down until the rest of the state has been read, into nowhere. A "
                                + "destination’s load and start would come on top."
                        : "From the request to stop until the destination runs. Its parts follow each other without a "
                                + "gap; the line across a bar is what was predicted when the switchover was decided. "
                                + findings.runsWithinLimit() + " of "
                                + findings.runs().size() + " runs kept the limit of "
                                + Format.roughTime(findings.downtimeLimit().toNanos()) + ".");
        figure(charts.runs());
        page.element("h3", "Percentiles");
        figure(charts.downtimePercentiles());
        tableHead("part", "min", "p50", "p90", "p99", "max");
        timesRow("downtime", findings.downtime());
        for (DowntimePart part : charts.parts()) {
            timesRow(part.label(), findings.downtime(part));
        }
        endTable();
        page.end();
    }

    private void throughput() {
        int middle = charts.middleRun();
        RunReport run = findings.runs().get(middle);
        section(
                "Throughput over time",
                "Run " + (middle + 1) + ", the one with the middle downtime: " + Format.bytes(run.preCopyBytes())
                        + " while the device ran" + (run.rounds() > 0 ? " in " + rounds(run.rounds()) : "") + ", "
                        + Format.bytes(run.stopCopyBytes()) + " while it was stopped.");
        figure(charts.throughput(run));
        page.end();
    }

    private static String rounds(int rounds) {
        return rounds == 1 ? "1 round" : rounds + " rounds";
    }

    private void chunkSizes() {
        section(
                "Rate by chunk size",
                "How fast the drivers give and take the state, without a connection between them. Medians of "
                        + DeviceBench.COPIES + " copies each, and from the slowest to the fastest.");
        figure(charts.chunkSizes());
        tableHead("chunk size", "read", "write", "both", "slowest", "fastest");
        for (ChunkRates rates : findings.chunkRates()) {
            row(
                    Format.bytes(rates.chunkBytes()),
                    BenchSummary.rate(rates.read().median()),
                    BenchSummary.rate(rates.write().median()),
                    BenchSummary.rate(rates.both().median()),
                    BenchSummary.rate(rates.both().min()),
                    BenchSummary.rate(rates.both().max()));
        }
        endTable();
        page.end();
    }

    private void dirty() {
        DirtyReport dirty = findings.dirty();
        if (dirty == null) {
            section("Dirty rate", "Not known: the device has no PRE_COPY.");
            page.end();
            return;
        }
        section(
                "Dirty rate",
                Format.rate(dirty.growthPerSecond()) + " by what the driver says, "
                        + Format.rate(dirty.resentPerSecond()) + " by what had to be read again"
                        + (dirty.drained() ? "." : ", or more: the device changes faster than it is read."));
        figure(charts.dirty(dirty));
        page.end();
    }

    private void sizes() {
        section(
                "Stop-copy size",
                "What the driver said right before the stop (VFIO_DEVICE_FEATURE_MIG_DATA_SIZE), and what was then "
                        + "read in STOP_COPY.");
        tableHead("", "said", "read");
        sizesRow("whole state", List.of(findings.whole()));
        if (findings.features().preCopy()) {
            sizesRow("after pre-copy, medians", findings.copies());
        }
        endTable();
        page.end();
    }

    private void sizesRow(String name, List<CopyReport> copies) {
        List<String> medians = BenchSummary.sizes(copies);
        row(name, medians.getFirst(), medians.getLast());
    }

    private void arcs() {
        section(
                "Arcs",
                "How long the kernel took for single steps of the state machine. Those to and from RESUMING are the "
                        + "peer’s, with a whole state written between them; the others are the device’s, with nothing "
                        + "read.");
        figure(charts.arcs());
        tableHead("arc", "times", "min", "p50", "p90", "p99", "max");
        for (Map.Entry<Arc, Histogram> arc : findings.arcs().histograms().entrySet()) {
            List<String> cells = new ArrayList<>(List.of(
                    arc.getKey().toString(), Long.toString(arc.getValue().getTotalCount())));
            cells.addAll(times(arc.getValue()));
            row(cells.toArray(String[]::new));
        }
        endTable();
        page.end();
    }

    private void section(String title, String words) {
        page.begin("section").element("h2", title).element("p", words);
    }

    private void figure(Figure figure) {
        page.begin("figure").raw(figure.svg()).end().begin("ul");
        figure.legend()
                .forEach((name, colour) -> page.begin("li")
                        .element("i", "", "style", "background:" + colour)
                        .text(name)
                        .end());
        page.end();
    }

    private void tableHead(String... titles) {
        page.begin("div", "class", "scroll").begin("table").begin("tr");
        for (String title : titles) {
            page.element("th", title);
        }
        page.end();
    }

    private void row(String... cells) {
        page.begin("tr");
        for (String cell : cells) {
            page.element("td", cell);
        }
        page.end();
    }

    private void timesRow(String name, Histogram histogram) {
        List<String> cells = new ArrayList<>(List.of(name));
        cells.addAll(times(histogram));
        row(cells.toArray(String[]::new));
    }

    private static List<String> times(Histogram histogram) {
        return List.of(
                Format.time(histogram.getMinValue()),
                Format.time(histogram.getValueAtPercentile(P50)),
                Format.time(histogram.getValueAtPercentile(P90)),
                Format.time(histogram.getValueAtPercentile(P99)),
                Format.time(histogram.getMaxValue()));
    }

    private void endTable() {
        page.end().end();
    }
}
