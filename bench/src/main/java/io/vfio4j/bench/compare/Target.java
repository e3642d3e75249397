// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What vfio4j is to reach against a peer, as the median of the rounds' ratios.
 *
 * @param what in words
 * @param applies to which scenarios
 * @param metric of what
 * @param peer against whom; the best of those whose name begins with "QEMU"
 * @param atLeast whether the bound is the least, or the most
 * @param bound the ratio
 */
record Target(String what, Predicate<Scenario> applies, Metric metric, String peer, boolean atLeast, double bound) {

    /**
     * How a target stands in one scenario.
     *
     * @param target which one
     * @param scenario where
     * @param against who was compared with
     * @param ratio what came out
     */
    record Verdict(Target target, Scenario scenario, String against, Spread ratio) {
        boolean isMet() {
            return target.atLeast ? ratio.median() >= target.bound : ratio.median() <= target.bound;
        }
    }

    /** The targets of docs/design.md section 6, in full. */
    static List<Target> all() {
        return List.of(
                atLeast("pre-copy, against C", Target::labSockets, Metric.RATE, CopyProgram.PLAIN, 0.95),
                atLeast(
                        "pre-copy, against QEMU's best, 2 CPUs",
                        s -> labSockets(s) && s.cpus() == 2,
                        Metric.RATE,
                        QemuPair.NAME,
                        2),
                atLeast(
                        "pre-copy, against QEMU's best, 1 CPU",
                        s -> labSockets(s) && s.cpus() == 1,
                        Metric.RATE,
                        QemuPair.NAME,
                        4),
                atMost("downtime, against C", Target::labSockets, Metric.DOWNTIME, CopyProgram.PLAIN, 1.25),
                atMost("downtime, against QEMU's best", Target::labSockets, Metric.DOWNTIME, QemuPair.NAME, 0.5),
                atMost("source's CPU, against C", Target::labSockets, Metric.SOURCE_CPU, CopyProgram.PLAIN, 1.1),
                atMost(
                        "destination's CPU, against C",
                        Target::labSockets,
                        Metric.DESTINATION_CPU,
                        CopyProgram.PLAIN,
                        1.1),
                atLeast(
                        "save to a file, against C",
                        s -> s.route() == Route.FILE,
                        Metric.RATE,
                        CopyProgram.PLAIN,
                        0.95),
                atLeast(
                        "save to a file with O_DIRECT, against C",
                        s -> s.route() == Route.DIRECT,
                        Metric.RATE,
                        CopyProgram.PLAIN,
                        0.95),
                atLeast(
                        "emulator on the host, against C's memfd to socket",
                        s -> s.place() == Place.HOST && !s.route().isFile(),
                        Metric.RATE,
                        CopyProgram.PLAIN,
                        0.95));
    }

    private static Target atLeast(String what, Predicate<Scenario> applies, Metric metric, String peer, double bound) {
        return new Target(what, applies, metric, peer, true, bound);
    }

    private static Target atMost(String what, Predicate<Scenario> applies, Metric metric, String peer, double bound) {
        return new Target(what, applies, metric, peer, false, bound);
    }

    private static boolean labSockets(Scenario scenario) {
        return scenario.place() == Place.LAB && !scenario.route().isFile();
    }

    /** How this target stands in each scenario that it applies to and that both completed. */
    List<Verdict> verdicts(Comparison comparison) {
        List<Verdict> verdicts = new ArrayList<>();
        for (Scenario scenario : comparison.scenarios()) {
            if (!applies.test(scenario)) {
                continue;
            }
            Optional<String> against =
                    peer.equals(QemuPair.NAME) ? comparison.best(scenario, peer, metric) : Optional.of(peer);
            against.map(name -> new Verdict(
                            this, scenario, name, comparison.ratio(scenario, Vfio4jCommand.NAME, name, metric)))
                    .filter(verdict -> verdict.ratio().isKnown())
                    .ifPresent(verdicts::add);
        }
        return verdicts;
    }

    /** The bound, as ">= 0.95". */
    String boundText() {
        return (atLeast ? ">= " : "<= ") + String.format(Locale.ROOT, "%.2f", bound);
    }
}
