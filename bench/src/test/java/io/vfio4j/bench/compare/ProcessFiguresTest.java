// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.bench.compare.Usage.Sample;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProcessFiguresTest {
    @Test
    void shouldReadProcessorTimeBehindANameWithBlanksAndBrackets() {
        assertThat(Child.cpuNanos("7 (a) b (c)) S 1 7 7 0 -1 4194304 500 0 1 0 123 45 6 7 20 0 1 0 99 1 1"))
                .isEqualTo(1_680_000_000L);
    }

    @Test
    void shouldReadTheHighWaterMarkOrNothingOfAProcessThatEnds() {
        assertThat(Child.peakBytes("Name:\tjava\nVmPeak:\t  9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"))
                .isEqualTo(2 << 20);
        assertThat(Child.peakBytes("Name:\tjava\nState:\tZ (zombie)\n")).isZero();
    }

    @Test
    void shouldCountOnlyWhatWasUsedBetweenTwoMoments() {
        Usage usage = new Usage(List.of(new Sample(0, 100), new Sample(100, 300), new Sample(200, 300)), 0, -1);

        assertThat(usage.cpuBetween(50, 150)).isEqualTo(100);
        assertThat(usage.cpuBetween(100, 500)).isZero();
        assertThat(usage.cpuBetween(-5, 25)).isEqualTo(50);
    }

    @Test
    void shouldPreferWhatAProcessKnowsOfItself() {
        assertThat(new Usage(List.of(), 7, -1).own(42, 8).cpuBetween(0, 1)).isEqualTo(42);
        assertThat(new Usage(List.of(), 7, -1).cpuBetween(0, 1)).isEqualTo(-1);
    }

    @Test
    void shouldFindTheLastOfTheEventsOfAName() {
        String log =
                "10 open\n20 arc STOP RUNNING_P2P\n30 arc RUNNING_P2P RUNNING\n90 arc RUNNING_P2P RUNNING\n95 close\n";

        assertThat(Testdev.lastTime(log, "arc RUNNING_P2P RUNNING")).isEqualTo(90);
        assertThat(Testdev.lastTime(log, "arc RUNNING PRE_COPY")).isEqualTo(-1);
    }
}
