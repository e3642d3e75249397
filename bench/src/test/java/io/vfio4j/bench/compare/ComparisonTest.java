// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import static io.vfio4j.bench.compare.Samples.HOST_FILE;
import static io.vfio4j.bench.compare.Samples.LAB;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final Offset<Double> NEARLY = within(1e-6);

    @Test
    void shouldTakeTheMiddleOfAnOddNumberAndTheMeanOfTheTwoMiddlesOfAnEvenOne() {
        assertThat(Spread.of(List.of(9.0, 1.0, 4.0))).isEqualTo(new Spread(4, 1, 9, 3));
        assertThat(Spread.of(List.of(9.0, 1.0, 4.0, 2.0))).isEqualTo(new Spread(3, 1, 9, 4));
    }

    @Test
    void shouldLeaveOutWhatIsNotKnown() {
        assertThat(Spread.of(List.of(Double.NaN, 7.0))).isEqualTo(new Spread(7, 7, 7, 1));
        assertThat(Spread.of(List.of(Double.NaN)).isKnown()).isFalse();
        assertThat(Spread.of(List.of()).format(1)).isEqualTo("-");
    }

    @Test
    void shouldCompareOnlyWhatRanInTheSameRound() {
        Comparison comparison = new Comparison(List.of(
                Samples.of(LAB, "C", 1, 1000, 4, 1),
                Samples.of(LAB, "vfio4j", 1, 500, 8, 1),
                // A busy moment of the machine: both are slow, and their ratio is what it was.
                Samples.of(LAB, "vfio4j", 2, 50, 80, 1),
                Samples.of(LAB, "C", 2, 100, 40, 1),
                Samples.of(LAB, "C", 3, 100, 10, 1)));

        Spread rate = comparison.ratio(LAB, "vfio4j", "C", Metric.RATE);
        assertThat(rate.count()).isEqualTo(2);
        assertThat(rate.min()).isEqualTo(0.5, NEARLY);
        assertThat(rate.max()).isEqualTo(0.5, NEARLY);
        assertThat(comparison.ratio(LAB, "vfio4j", "C", Metric.DOWNTIME).median())
                .isEqualTo(2, NEARLY);
    }

    @Test
    void shouldLeaveOutARoundThatOneOfThemDidNotComplete() {
        Comparison comparison = new Comparison(List.of(
                Samples.of(LAB, "vfio4j", 1, 500, 8, 1),
                Measurement.failed(LAB, "QEMU", 1, "did not converge within 20 s"),
                Samples.of(LAB, "vfio4j", 2, 400, 8, 1),
                Samples.of(LAB, "QEMU", 2, 100, 80, 1)));

        assertThat(comparison.ratio(LAB, "vfio4j", "QEMU", Metric.RATE).count()).isEqualTo(1);
        assertThat(comparison.ratio(LAB, "vfio4j", "QEMU", Metric.RATE).median())
                .isEqualTo(4, NEARLY);
        assertThat(comparison.spread(LAB, "QEMU", Metric.DOWNTIME)).isEqualTo(new Spread(80, 80, 80, 1));
    }

    @Test
    void shouldFindTheBestOfAKindByItsMedian() {
        Comparison comparison = new Comparison(List.of(
                Samples.of(LAB, "QEMU", 1, 300, 70, 1),
                Samples.of(LAB, "QEMU multifd", 1, 100, 60, 1),
                Samples.of(LAB, "C", 1, 900, 3, 1)));

        assertThat(comparison.best(LAB, "QEMU", Metric.RATE)).contains("QEMU");
        assertThat(comparison.best(LAB, "QEMU", Metric.DOWNTIME)).contains("QEMU multifd");
        assertThat(comparison.best(HOST_FILE, "QEMU", Metric.RATE)).isEmpty();
    }

    @Test
    void shouldCountAFileAsSavedOnlyWhenItIsOnDisk() {
        Measurement socket = Samples.of(LAB, "C", 1, 1024, 1000, 1);
        Measurement file = Samples.of(HOST_FILE, "C", 1, 1024, 1000, 1);

        assertThat(Metric.RATE.of(socket)).isEqualTo(1024, NEARLY);
        assertThat(Metric.RATE.of(file)).isEqualTo(512, NEARLY);
        assertThat(Metric.DOWNTIME.of(file)).isNaN();
    }

    @Test
    void shouldKnowNoProcessorTimeWhereNoneWasMeasured() {
        Measurement copy = new Measurement(HOST_FILE, "dd", 1, "", 1 << 30, 1, 0, -1, 1, -1, -1, -1, 0, 0);

        assertThat(Metric.SOURCE_CPU.of(copy)).isNaN();
        assertThat(Metric.SOURCE_MEMORY.of(copy)).isNaN();
        assertThat(Metric.SOURCE_CPU.of(Samples.of(LAB, "C", 1, 1024, 1, 0.75))).isEqualTo(0.75, NEARLY);
    }
}
