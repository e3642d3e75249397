// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.cli.bench.Timeline.Rate;
import java.util.List;
import org.junit.jupiter.api.Test;

class TimelineTest {
    private static final long BEGIN = 5_000_000_000L;
    private static final long MS = 1_000_000;

    @Test
    void shouldSpreadBytesEvenlyBetweenSamples() {
        Timeline timeline = new Timeline(BEGIN);
        timeline.sample(BEGIN + 10 * MS, 1_000);
        timeline.sample(BEGIN + 20 * MS, 1_000);
        timeline.end(BEGIN + 40 * MS, 5_000);

        assertThat(timeline.rates(4))
                .containsExactly(
                        new Rate(0, 10 * MS, 100_000),
                        new Rate(10 * MS, 20 * MS, 0),
                        new Rate(20 * MS, 30 * MS, 200_000),
                        new Rate(30 * MS, 40 * MS, 200_000));
        assertThat(timeline.rates(1)).containsExactly(new Rate(0, 40 * MS, 125_000));
    }

    @Test
    void shouldHaveNoRatesWhenNothingWasSampled() {
        Timeline timeline = new Timeline(BEGIN);
        timeline.end(BEGIN, 0);

        assertThat(timeline.rates(10)).isEmpty();
        assertThat(timeline.durationNanos()).isZero();
    }

    @Test
    void shouldLeaveOutStretchesThatAreTooShort() {
        Timeline timeline = new Timeline(BEGIN);
        timeline.end(BEGIN + 3, 30);

        assertThat(timeline.rates(10)).hasSize(3).allMatch(rate -> rate.bytesPerSecond() == 10_000_000_000L);
    }

    @Test
    void shouldKeepTheWholeInBoundedMemoryWhenItIsLong() {
        Timeline timeline = new Timeline(BEGIN);
        long samples = 1_000_000;
        for (long i = 1; i <= samples; i++) {
            timeline.sample(BEGIN + i * MS, i * 1_000);
        }
        timeline.end(BEGIN + samples * MS + 1, samples * 1_000);

        assertThat(timeline.durationNanos()).isEqualTo(samples * MS + 1);
        List<Rate> rates = timeline.rates(100);
        assertThat(rates)
                .hasSize(100)
                .allSatisfy(rate -> assertThat(rate.bytesPerSecond()).isBetween(990_000L, 1_010_000L));
    }

    @Test
    void shouldTellWhenPhasesBeganSinceTheBeginning() {
        Timeline timeline = new Timeline(BEGIN);
        timeline.phase("pre-copy", BEGIN + MS);
        timeline.phase("stop-copy", BEGIN + 3 * MS);

        assertThat(timeline.phases())
                .containsExactly(new Timeline.Phase("pre-copy", MS), new Timeline.Phase("stop-copy", 3 * MS));
    }
}
