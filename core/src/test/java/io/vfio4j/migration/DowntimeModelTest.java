// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.migration.DowntimeModel.Rest;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.SwitchoverPolicy.Decision;
import io.vfio4j.observe.Downtime;
import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DowntimeModelTest {
    private static final long MS = 1_000_000;

    private final DowntimeModel model = new DowntimeModel();

    @Test
    void shouldAddUpAllParts() {
        long step = MS / 10;
        model.sourceArc(30 * MS);
        model.step(step);
        model.destination(6 * MS, 8 * MS);
        model.roundTrip(1 * MS);

        Forecast forecast = model.forecast(4, 9, 11, 1, 2, 5 * MS, List.of(new Rest(50_000_000, 1_000_000_000)));

        assertThat(forecast.downtime())
                .isEqualTo(new Downtime(
                        0, 3 * MS + step / 2, 3 * MS, 50 * MS + step / 2, (5 + 6 + 1) * MS + 2 * step, 9 * MS + step));
        assertThat(forecast.downtimeNanos()).isEqualTo(forecast.downtime().total());
        assertThat(forecast.fixedNanos())
                .isEqualTo(forecast.downtimeNanos() - forecast.downtime().drain());
        assertThat(forecast.round()).isEqualTo(4);
        assertThat(forecast.sentBytes()).isEqualTo(11);
        assertThat(forecast.isReady()).isFalse();
    }

    @Test
    void shouldCountThatSeveralHandlersMeetBetweenSteps() {
        model.step(2 * MS);
        model.destination(6 * MS, 0);

        Downtime downtime = model.forecast(1, 0, 0, 0, 0, 0, List.of(new Rest(0, 1), new Rest(0, 1)))
                .downtime();

        assertThat(downtime).isEqualTo(new Downtime(0, 4 * MS, 4 * MS, 2 * MS, 10 * MS, 2 * MS));
    }

    @Test
    void shouldGoByTheSourcesOwnArcWhenTheDestinationDidNotRehearse() {
        model.sourceArc(3 * MS);

        Downtime downtime =
                model.forecast(1, 0, 0, 0, 0, 0, List.of(new Rest(0, 1))).downtime();

        assertThat(downtime).isEqualTo(new Downtime(0, 3 * MS, 3 * MS, 0, 0, 0));
    }

    @Test
    void shouldExpectOfTheNextSwitchoverWhatAWithdrawnOneTook() {
        model.sourceArc(3 * MS);
        model.withdrawn(20 * MS, 9 * MS);

        Downtime downtime =
                model.forecast(1, 0, 0, 0, 0, 0, List.of(new Rest(0, 1))).downtime();

        assertThat(downtime).isEqualTo(new Downtime(20 * MS, 9 * MS, 3 * MS, 0, 0, 0));
    }

    @Test
    void shouldTakeAsLongAsTheSlowestHandlerAndAsTheLinkForAll() {
        // Each at its own rate beside the other: the slower one decides.
        model.total(200_000_000);
        assertThat(model.forecast(
                                1,
                                0,
                                0,
                                0,
                                0,
                                0,
                                List.of(new Rest(1_000_000, 100_000_000), new Rest(4_000_000, 100_000_000)))
                        .downtime()
                        .drain())
                .isEqualTo(40 * MS);
    }

    @Test
    void shouldShareTheLinkBetweenHandlersThatHadItAlone() {
        // What was measured of each while the other had nothing to send is the link's rate, which they will share.
        model.total(100_000_000);
        assertThat(model.forecast(
                                1,
                                0,
                                0,
                                0,
                                0,
                                0,
                                List.of(new Rest(2_000_000, 100_000_000), new Rest(4_000_000, 100_000_000)))
                        .downtime()
                        .drain())
                .isEqualTo(60 * MS);
    }

    @Test
    void shouldSaturateWhenTheDeviceCannotTellHowMuchIsLeft() {
        model.sourceArc(MS);
        assertThat(model.forecast(1, 0, 0, 0, 0, 0, List.of(new Rest(Long.MAX_VALUE, 1), new Rest(Long.MAX_VALUE, 1)))
                        .downtimeNanos())
                .isPositive();
        assertThat(forecast(1, 0, 0, Long.MAX_VALUE).downtimeNanos()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void shouldNotGoBackInTimeWhenTheRoundTripSeemsNegative() {
        model.roundTrip(-5);
        assertThat(model.forecast(1, 0, 0, 0, 0, 0, List.of(new Rest(0, 1))).downtimeNanos())
                .isZero();
    }

    @Test
    void shouldSwitchOverWhenThePredictionFits() {
        MigrationLimits limits = limits(b -> b.downtimeLimit(Duration.ofMillis(10)));

        assertThat(decide(forecast(1, 0, 0, 10 * MS), limits)).isEqualTo(Decision.SWITCH_OVER);
        assertThat(decide(forecast(1, 0, 0, 10 * MS + 1), limits)).isEqualTo(Decision.CONTINUE);
        assertThat(decide(forecast(1, 0, 1, 0), limits)).isEqualTo(Decision.CONTINUE);
        assertThat(decide(new Forecast(1, 0, 0, 0, 1, 0, 1, drain(0)), limits)).isEqualTo(Decision.CONTINUE);
    }

    @ParameterizedTest
    @CsvSource({"KEEP_GOING, CONTINUE", "THROTTLE, THROTTLE", "SWITCH_OVER, SWITCH_OVER", "GIVE_UP, GIVE_UP"})
    void shouldDoAsToldWhenRoundsTimeOrBytesAreOver(NotConverging then, Decision expected) {
        MigrationLimits limits = limits(b -> b.maxRounds(3)
                .maxPreCopy(Duration.ofSeconds(1))
                .maxPreCopyBytes(1000)
                .whenNotConverging(then));
        assertThat(decide(forecast(2, 0, 0, Long.MAX_VALUE), limits)).isEqualTo(Decision.CONTINUE);
        assertThat(decide(forecast(3, 0, 0, Long.MAX_VALUE), limits)).isEqualTo(expected);
        assertThat(decide(forecast(1, 1000 * MS, 0, Long.MAX_VALUE), limits)).isEqualTo(expected);
        assertThat(decide(new Forecast(1, 0, 1000, 0, 0, 0, 1, drain(Long.MAX_VALUE)), limits))
                .isEqualTo(expected);
    }

    @Test
    void shouldGiveUpAtOnceWhenNoPreCopyCanFitTheLimit() {
        Forecast slowDevice = new Forecast(1, 0, 0, 0, 0, 0, 1, new Downtime(0, 20 * MS, 20 * MS, 0, 10 * MS, 10 * MS));
        MigrationLimits limits = limits(b -> b.downtimeLimit(Duration.ofMillis(50)));

        assertThat(decide(slowDevice, limits)).isEqualTo(Decision.GIVE_UP);
        assertThat(decide(slowDevice, limits.withWhenNotConverging(NotConverging.SWITCH_OVER)))
                .isEqualTo(Decision.CONTINUE);
        assertThat(decide(slowDevice, limits.withDowntimeLimit(Duration.ofMillis(60))))
                .isEqualTo(Decision.SWITCH_OVER);
    }

    private static Decision decide(Forecast forecast, MigrationLimits limits) {
        return SwitchoverPolicy.STANDARD.decide(forecast, limits);
    }

    private static MigrationLimits limits(UnaryOperator<MigrationParameters.Builder> set) {
        return set.apply(MigrationParameters.builder()).build().limits();
    }

    private static Forecast forecast(int round, long elapsed, long required, long transfer) {
        return new Forecast(round, elapsed, 0, required, 0, 0, 1, drain(transfer));
    }

    private static Downtime drain(long nanos) {
        return new Downtime(0, 0, 0, nanos, 0, 0);
    }
}
