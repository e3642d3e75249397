// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import static io.vfio4j.bench.compare.Samples.HOST_FILE;
import static io.vfio4j.bench.compare.Samples.LAB;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class TargetTest {
    private static Map<String, Boolean> verdicts(Measurement... measurements) {
        Comparison comparison = new Comparison(List.of(measurements));
        return Target.all().stream()
                .flatMap(target -> target.verdicts(comparison).stream())
                .collect(Collectors.toMap(verdict -> verdict.target().what(), Target.Verdict::isMet));
    }

    @Test
    void shouldJudgeEachTargetByItsOwnBound() {
        assertThat(verdicts(
                        Samples.of(LAB, "vfio4j", 1, 960, 12, 1.0),
                        Samples.of(LAB, "C", 1, 1000, 10, 0.95),
                        Samples.of(LAB, "QEMU", 1, 500, 20, 3)))
                .containsExactlyInAnyOrderEntriesOf(Map.of(
                        "pre-copy, against C", true,
                        "pre-copy, against QEMU's best, 2 CPUs", false,
                        "downtime, against C", true,
                        "downtime, against QEMU's best", false,
                        "source's CPU, against C", true,
                        "destination's CPU, against C", true));
    }

    @Test
    void shouldAskForMoreOfOneProcessorThanOfTwo() {
        Scenario one = new Scenario(Place.LAB, 1, Route.TCP, 1, 256, "0");

        assertThat(verdicts(Samples.of(one, "vfio4j", 1, 300, 1, 1), Samples.of(one, "QEMU", 1, 100, 90, 1)))
                .containsEntry("pre-copy, against QEMU's best, 1 CPU", false)
                .doesNotContainKey("pre-copy, against QEMU's best, 2 CPUs");
    }

    @Test
    void shouldJudgeFilesByWhatWasSaved() {
        assertThat(verdicts(Samples.of(HOST_FILE, "vfio4j", 1, 90, 1, 9), Samples.of(HOST_FILE, "C", 1, 100, 1, 1)))
                .isEqualTo(Map.of("save to a file, against C", false));
    }

    @Test
    void shouldSayNothingOfWhatWasNotMeasured() {
        assertThat(verdicts(Samples.of(LAB, "vfio4j", 1, 960, 12, 1))).isEmpty();
    }
}
