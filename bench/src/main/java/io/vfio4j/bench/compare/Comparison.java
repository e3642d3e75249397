// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** All measurements, by scenario and peer, and the ratios between peers. */
record Comparison(List<Measurement> measurements) {

    /** The scenarios, in the order of their first measurement. */
    Set<Scenario> scenarios() {
        Set<Scenario> scenarios = new LinkedHashSet<>();
        measurements.forEach(each -> scenarios.add(each.scenario()));
        return scenarios;
    }

    /** The peers that took part, vfio4j first. */
    List<String> peers(Scenario scenario) {
        return measurements.stream()
                .filter(each -> each.scenario().equals(scenario))
                .map(Measurement::peer)
                .distinct()
                .sorted(Comparator.comparing((String peer) -> !peer.equals(Vfio4jCommand.NAME))
                        .thenComparing(Comparator.naturalOrder()))
                .toList();
    }

    /** What a peer did, round by round. */
    List<Measurement> of(Scenario scenario, String peer) {
        return measurements.stream()
                .filter(each -> each.scenario().equals(scenario) && each.peer().equals(peer))
                .sorted(Comparator.comparingInt(Measurement::round))
                .toList();
    }

    /** A peer's values in the rounds that it completed. */
    Spread spread(Scenario scenario, String peer, Metric metric) {
        return Spread.of(of(scenario, peer).stream()
                .filter(Measurement::isComplete)
                .map(metric::of)
                .toList());
    }

    /** The ratio of one peer's value to another's of the same round, of all rounds that both completed. */
    Spread ratio(Scenario scenario, String peer, String to, Metric metric) {
        List<Double> ratios = new ArrayList<>();
        for (Measurement ours : of(scenario, peer)) {
            of(scenario, to).stream()
                    .filter(theirs -> theirs.round() == ours.round() && theirs.isComplete() && ours.isComplete())
                    .forEach(theirs -> ratios.add(metric.of(ours) / metric.of(theirs)));
        }
        return Spread.of(ratios);
    }

    /** The best by its median of the peers whose name begins so. */
    Optional<String> best(Scenario scenario, String prefix, Metric metric) {
        Comparator<String> byMedian = Comparator.comparingDouble(
                peer -> spread(scenario, peer, metric).median());
        return peers(scenario).stream()
                .filter(peer -> peer.startsWith(prefix)
                        && spread(scenario, peer, metric).isKnown())
                .min(metric == Metric.RATE ? byMedian.reversed() : byMedian);
    }
}
