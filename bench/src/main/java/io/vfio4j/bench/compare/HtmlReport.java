// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.util.List;
import java.util.Locale;

/** The results as one HTML page that needs nothing else: the targets, and charts with a dot for each round. */
final class HtmlReport {
    private static final int LABEL = 130;
    private static final int WIDTH = 380;
    private static final int ROW = 22;
    private static final int VALUE = 150;
    private static final List<Metric> CHARTS =
            List.of(Metric.RATE, Metric.DOWNTIME, Metric.SOURCE_CPU, Metric.DESTINATION_CPU);
    private static final String STYLE = """
            body { font: 15px sans-serif; margin: 2em auto; max-width: 1400px; color: #222 }
            table { border-collapse: collapse } td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: left }
            .met { color: #060 } .missed { color: #a00; font-weight: bold } .none { color: #777 }
            .charts { display: flex; flex-wrap: wrap; gap: 1em 2em } svg text { font: 13px sans-serif }
            pre { overflow-x: auto; font-size: 12px }
            """;

    private final Comparison comparison;
    private final StringBuilder html = new StringBuilder();

    private HtmlReport(Comparison comparison) {
        this.comparison = comparison;
    }

    static String of(List<String> facts, Comparison comparison) {
        HtmlReport report = new HtmlReport(comparison);
        report.page(facts);
        return report.html.toString();
    }

    private void page(List<String> facts) {
        html.append(
                        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>vfio4j and its peers</title>\n<style>\n")
                .append(STYLE)
                .append("</style></head><body>\n<h1>vfio4j and its peers</h1>\n<ul>\n");
        facts.forEach(fact -> html.append("<li>").append(escape(fact)).append("</li>\n"));
        html.append(
                "</ul>\n<h2>Targets</h2>\n<p>Ratios of vfio4j to the peer in the same round: median (least...greatest).</p>\n");
        targets();
        for (Scenario scenario : comparison.scenarios()) {
            html.append("<h2>")
                    .append(escape(scenario.toString()))
                    .append("</h2>\n<p>Bars are medians, dots are rounds.</p>\n<div class=\"charts\">\n");
            CHARTS.forEach(metric -> chart(scenario, metric));
            html.append("</div>\n");
        }
        html.append("<h2>All figures</h2>\n<pre>")
                .append(escape(TextReport.of(List.of(), comparison)))
                .append("</pre>\n</body></html>\n");
    }

    private void targets() {
        html.append(
                "<table>\n<tr><th>target</th><th>bound</th><th>scenario</th><th>against</th><th>ratio</th><th></th></tr>\n");
        for (Target target : Target.all()) {
            List<Target.Verdict> verdicts = target.verdicts(comparison);
            if (verdicts.isEmpty()) {
                row(target, "", "", "", "none", "not measured");
            }
            for (Target.Verdict verdict : verdicts) {
                row(
                        target,
                        verdict.scenario().toString(),
                        verdict.against(),
                        verdict.ratio().format(2),
                        verdict.isMet() ? "met" : "missed",
                        verdict.isMet() ? "met" : "missed");
            }
        }
        html.append("</table>\n");
    }

    private void row(Target target, String scenario, String against, String ratio, String style, String verdict) {
        html.append("<tr>");
        for (String cell : List.of(target.what(), target.boundText(), scenario, against, ratio)) {
            html.append("<td>").append(escape(cell)).append("</td>");
        }
        html.append("<td class=\"").append(style).append("\">").append(verdict).append("</td></tr>\n");
    }

    private void chart(Scenario scenario, Metric metric) {
        List<String> peers = comparison.peers(scenario).stream()
                .filter(peer -> comparison.spread(scenario, peer, metric).isKnown())
                .toList();
        double most = peers.stream()
                .mapToDouble(peer -> comparison.spread(scenario, peer, metric).max())
                .max()
                .orElse(0);
        if (most <= 0) {
            return;
        }
        html.append(String.format(
                Locale.ROOT,
                "<svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s\">\n<text x=\"0\" y=\"15\" font-weight=\"bold\">%s</text>\n",
                LABEL + WIDTH + VALUE,
                (peers.size() + 1) * ROW + 6,
                metric,
                metric));
        int y = ROW;
        for (String peer : peers) {
            Spread spread = comparison.spread(scenario, peer, metric);
            int middle = y + ROW / 2;
            html.append(String.format(
                    Locale.ROOT,
                    "<text x=\"0\" y=\"%d\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
                            + "<text x=\"%d\" y=\"%d\">%s</text>\n",
                    middle + 5,
                    escape(peer),
                    LABEL,
                    y + 3,
                    spread.median() / most * WIDTH,
                    ROW - 6,
                    peer.equals(Vfio4jCommand.NAME) ? "#2a6fb0" : "#b9c4d0",
                    LABEL + WIDTH + 10,
                    middle + 5,
                    spread.format(spread.median() < 10 ? 2 : 0)));
            comparison.of(scenario, peer).stream()
                    .filter(Measurement::isComplete)
                    .mapToDouble(metric::of)
                    .filter(value -> !Double.isNaN(value))
                    .forEach(value -> html.append(String.format(
                            Locale.ROOT,
                            "<circle cx=\"%.1f\" cy=\"%d\" r=\"3\" fill=\"#222\"/>\n",
                            LABEL + value / most * WIDTH,
                            middle)));
            y += ROW;
        }
        html.append("</svg>\n");
    }

    static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
