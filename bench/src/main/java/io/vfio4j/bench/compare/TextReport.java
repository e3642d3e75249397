// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The results as text: a table for each scenario, and the targets. */
final class TextReport {
    private static final int DIGITS = 2;

    private final Comparison comparison;
    private final StringBuilder text = new StringBuilder();

    private TextReport(Comparison comparison) {
        this.comparison = comparison;
    }

    static String of(List<String> facts, Comparison comparison) {
        TextReport report = new TextReport(comparison);
        facts.forEach(fact -> report.text.append(fact).append('\n'));
        comparison.scenarios().forEach(report::scenario);
        report.targets();
        return report.text.toString();
    }

    private void scenario(Scenario scenario) {
        text.append('\n').append(scenario).append("\nmedian (least...greatest)\n");
        List<Metric> metrics = List.of(Metric.values());
        List<List<String>> rows = new ArrayList<>();
        rows.add(row("", metrics.stream().map(Metric::toString).toList()));
        for (String peer : comparison.peers(scenario)) {
            rows.add(row(
                    peer,
                    metrics.stream()
                            .map(metric ->
                                    comparison.spread(scenario, peer, metric).format(digits(metric)))
                            .toList()));
        }
        for (String peer : comparison.peers(scenario)) {
            if (!peer.equals(Vfio4jCommand.NAME)) {
                rows.add(row(
                        "vfio4j / " + peer,
                        metrics.stream()
                                .map(metric -> comparison
                                        .ratio(scenario, Vfio4jCommand.NAME, peer, metric)
                                        .format(DIGITS))
                                .toList()));
            }
        }
        table(rows);
        comparison.peers(scenario).forEach(peer -> notes(scenario, peer));
    }

    private void notes(Scenario scenario, String peer) {
        comparison.of(scenario, peer).stream()
                .filter(each -> !each.isComplete())
                .forEach(each -> text.append("round ")
                        .append(each.round())
                        .append(", ")
                        .append(peer)
                        .append(": ")
                        .append(each.note())
                        .append('\n'));
    }

    private static int digits(Metric metric) {
        return metric == Metric.SOURCE_CPU || metric == Metric.DESTINATION_CPU
                ? DIGITS
                : metric == Metric.DOWNTIME ? 1 : 0;
    }

    private void targets() {
        text.append("\ntargets\n");
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("target", "bound", "scenario", "against", "ratio", ""));
        for (Target target : Target.all()) {
            List<Target.Verdict> verdicts = target.verdicts(comparison);
            if (verdicts.isEmpty()) {
                rows.add(List.of(target.what(), target.boundText(), "", "", "", "not measured"));
            }
            for (Target.Verdict verdict : verdicts) {
                rows.add(List.of(
                        target.what(),
                        target.boundText(),
                        verdict.scenario().toString(),
                        verdict.against(),
                        verdict.ratio().format(DIGITS),
                        verdict.isMet() ? "met" : "MISSED"));
            }
        }
        table(rows);
    }

    private static List<String> row(String name, List<String> values) {
        List<String> row = new ArrayList<>(List.of(name));
        row.addAll(values);
        return row;
    }

    /** Columns as wide as their widest value; the first row is the head. */
    private void table(List<List<String>> rows) {
        int columns = rows.getFirst().size();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                int column = i;
                int width = rows.stream()
                        .mapToInt(each -> each.get(column).length())
                        .max()
                        .orElse(0);
                line.append(String.format(Locale.ROOT, "%-" + (width + 2) + "s", row.get(i)));
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
    }
}
