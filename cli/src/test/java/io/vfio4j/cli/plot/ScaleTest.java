// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.Collectors;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScaleTest {
    private static final Offset<Double> CLOSE = within(1e-9);

    private static String labels(Scale scale) {
        return scale.ticks().stream().map(Scale.Tick::label).collect(Collectors.joining(" "));
    }

    @ParameterizedTest
    @CsvSource({
        "5, 0 1 2 3 4 5",
        "5.1, 0 2 4 6",
        "0.3, 0.0 0.1 0.2 0.3",
        "17, 0 5 10 15 20",
        "1, 0.0 0.2 0.4 0.6 0.8 1.0",
        "1234, 0 500 1000 1500",
        "0.07, 0.00 0.02 0.04 0.06 0.08",
        "0, 0.0 0.2 0.4 0.6 0.8 1.0",
        "-3, 0.0 0.2 0.4 0.6 0.8 1.0"
    })
    void shouldMarkRoundValuesFromZeroToBeyondTheLargest(double largest, String labels) {
        Scale scale = Scale.linear(largest, 5, Unit.ONE);

        assertThat(labels(scale)).isEqualTo(labels);
        assertThat(scale.at(0)).isZero();
        assertThat(scale.at(scale.ticks().getLast().value())).isCloseTo(1, CLOSE);
        assertThat(scale.at(largest)).isBetween(0.0, 1.0);
    }

    @Test
    void shouldLabelInItsUnitAndPlaceInTheBasicOne() {
        Scale scale = Scale.linear(4_200_000, 5, Unit.ofNanos(4_200_000));

        assertThat(labels(scale)).isEqualTo("0 1 2 3 4 5");
        assertThat(scale.unit()).isEqualTo("ms");
        assertThat(scale.at(2_500_000)).isCloseTo(0.5, CLOSE);
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-12, 3e-7, 0.1, 0.7, 1, 9.99, 1e3, 123_456_789, 1e18})
    void shouldNeverHaveMoreStepsThanAskedFor(double largest) {
        for (int steps = 1; steps <= 12; steps++) {
            assertThat(Scale.linear(largest, steps, Unit.ONE).ticks()).hasSizeBetween(2, steps + 1);
        }
    }

    @Test
    void shouldMarkWholeDecades() {
        Scale scale = Scale.decades(2_500, 7_000_000, value -> String.valueOf((long) value));

        assertThat(labels(scale)).isEqualTo("1000 10000 100000 1000000 10000000");
        assertThat(scale.at(1_000)).isCloseTo(0, CLOSE);
        assertThat(scale.at(100_000)).isCloseTo(0.5, CLOSE);
        assertThat(scale.at(10_000_000)).isCloseTo(1, CLOSE);
        assertThat(scale.at(0)).isZero();
        assertThat(scale.at(1e30)).isEqualTo(1);
    }

    @Test
    void shouldHaveADecadeWhenAllValuesAreTheSame() {
        assertThat(labels(Scale.decades(1_000, 1_000, value -> String.valueOf((long) value))))
                .isEqualTo("1000 10000");
        assertThat(labels(Scale.decades(0, 0, value -> String.valueOf((long) value))))
                .isEqualTo("1 10");
    }

    @ParameterizedTest
    @CsvSource({"0.5, 0 50 90", "0.9, 0 50 90", "0.975, 0 50 90 95", "0.9995, 0 50 90 95 99 99.5 99.9"})
    void shouldMarkThePercentilesThatThereAreValuesFor(double last, String labels) {
        Scale scale = Scale.percentiles(last);

        assertThat(labels(scale)).isEqualTo(labels);
        assertThat(scale.at(0)).isCloseTo(0, CLOSE);
        assertThat(scale.at(1)).isEqualTo(1);
    }

    @Test
    void shouldSpreadOutTheLastPercentiles() {
        Scale scale = Scale.percentiles(0.999);

        assertThat(scale.at(0.9)).isCloseTo(1.0 / 3, CLOSE);
        assertThat(scale.at(0.99)).isCloseTo(2.0 / 3, CLOSE);
        assertThat(scale.at(0.999)).isCloseTo(1, CLOSE);
    }

    @Test
    void shouldGiveEachCategoryTheMiddleOfItsRoom() {
        Scale scale = Scale.categories(List.of("a", "b"));

        assertThat(scale.at(0)).isEqualTo(0.25);
        assertThat(scale.at(1)).isEqualTo(0.75);
        assertThat(labels(scale)).isEqualTo("a b");
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1",
        "3, 1 2 3",
        "10, 1 2 3 4 5 6 7 8 9 10",
        "20, 1 2 4 6 8 10 12 14 16 18 20",
        "1000, 1 100 200 300 400 500 600 700 800 900 1000"
    })
    void shouldMarkSomeOfManyRuns(int count, String labels) {
        assertThat(labels(Scale.ordinals(count, 10))).isEqualTo(labels);
    }
}
