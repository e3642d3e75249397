// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.migration.MigrationParameters.NotConverging;
import io.vfio4j.migration.SwitchoverPolicy.Decision;
import java.time.Duration;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class DowntimeModelTest {
    private static final long MS = 1_000_000;
    private static final Percentage CLOSE = Percentage.withPercentage(0.1);

    private final DowntimeModel model = new DowntimeModel();

    @Test
    void shouldAssumeARateWhenNothingWasMeasured() {
        assertThat(model.bytesPerSecond()).isEqualTo(DowntimeModel.UNMEASURED_BYTES_PER_SECOND);
        model.transferred(1000, MS);
        assertThat(model.bytesPerSecond()).isEqualTo(DowntimeModel.UNMEASURED_BYTES_PER_SECOND);
    }

    @Test
    void shouldMeasureTheRateOverWindows() {
        model.transferred(10_000_000, 20 * MS);
        assertThat(model.bytesPerSecond()).isCloseTo(500_000_000L, CLOSE);

        for (int i = 0; i < 40; i++) {
            model.transferred(1_000_000, 10 * MS);
        }
        assertThat(model.bytesPerSecond()).isCloseTo(100_000_000L, Percentage.withPercentage(1));
    }

    @Test
    void shouldAddUpAllParts() {
        model.transferred(20_000_000, 20 * MS);
        model.sourceArc(3 * MS);
        model.sourceArc(2 * MS);
        model.destinationArcs(15 * MS);
        model.roundTrip(1 * MS);

        Forecast forecast = model.forecast(4, 9, 1, 50_000_000);

        assertThat(forecast.transferNanos()).isCloseTo(50 * MS, CLOSE);
        assertThat(forecast.transitionNanos()).isEqualTo((2 * 3 + 15) * MS);
        assertThat(forecast.roundTripNanos()).isEqualTo(2 * MS);
        assertThat(forecast.downtimeNanos()).isCloseTo((50 + 21 + 2) * MS, CLOSE);
        assertThat(forecast.round()).isEqualTo(4);
    }

    @Test
    void shouldSaturateWhenTheDeviceCannotTellHowMuchIsLeft() {
        model.sourceArc(MS);
        assertThat(model.forecast(1, 0, 0, Long.MAX_VALUE).downtimeNanos()).isPositive();
        assertThat(new Forecast(1, 0, 0, 0, 1, Long.MAX_VALUE, 1, 1).downtimeNanos())
                .isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void shouldNotGoBackInTimeWhenTheRoundTripSeemsNegative() {
        model.roundTrip(-5);
        assertThat(model.forecast(1, 0, 0, 0).downtimeNanos()).isZero();
    }

    @Test
    void shouldSwitchOverWhenThePredictionFits() {
        SwitchoverPolicy policy = SwitchoverPolicy.of(MigrationParameters.builder()
                .downtimeLimit(Duration.ofMillis(10))
                .build());

        assertThat(policy.decide(forecast(1, 0, 0, 10 * MS))).isEqualTo(Decision.SWITCH_OVER);
        assertThat(policy.decide(forecast(1, 0, 0, 10 * MS + 1))).isEqualTo(Decision.CONTINUE);
        assertThat(policy.decide(forecast(1, 0, 1, 0))).isEqualTo(Decision.CONTINUE);
    }

    @Test
    void shouldDoAsToldWhenRoundsOrTimeAreOver() {
        for (NotConverging then : NotConverging.values()) {
            Decision expected = then == NotConverging.GIVE_UP ? Decision.GIVE_UP : Decision.SWITCH_OVER;
            SwitchoverPolicy policy = SwitchoverPolicy.of(MigrationParameters.builder()
                    .maxRounds(3)
                    .maxPreCopy(Duration.ofSeconds(1))
                    .whenNotConverging(then)
                    .build());
            assertThat(policy.decide(forecast(2, 0, 0, Long.MAX_VALUE))).isEqualTo(Decision.CONTINUE);
            assertThat(policy.decide(forecast(3, 0, 0, Long.MAX_VALUE))).isEqualTo(expected);
            assertThat(policy.decide(forecast(1, 1000 * MS, 0, Long.MAX_VALUE))).isEqualTo(expected);
        }
    }

    @Test
    void shouldKeepThePace() {
        Pace pace = new Pace(1000, 0);
        pace.sent(500, 0);
        assertThat(pace.waitNanos(0)).isEqualTo(500 * MS);
        assertThat(pace.waitNanos(500 * MS)).isZero();
        // A pause of a second gives no burst of a second: 50 ms may be caught up on.
        pace.sent(100, 1500 * MS);
        assertThat(pace.waitNanos(1500 * MS)).isEqualTo(50 * MS);
    }

    @Test
    void shouldNeverWaitWhenThereIsNoPace() {
        Pace pace = new Pace(0, 0);
        pace.sent(Long.MAX_VALUE, 0);
        assertThat(pace.waitNanos(0)).isZero();
    }

    @Test
    void shouldCountBytesAsFastAsTheyHaveReallyGone() {
        model.transferred(100_000_000, 20 * MS);
        assertThat(model.bytesPerSecond()).isCloseTo(5_000_000_000L, CLOSE);

        model.settled(980 * MS);
        assertThat(model.bytesPerSecond()).isCloseTo(100_000_000L, CLOSE);

        // A round that waits for nothing says nothing new.
        model.settled(MS / 2);
        assertThat(model.bytesPerSecond()).isCloseTo(100_000_000L, CLOSE);
    }

    @Test
    void shouldGiveUpAtOnceWhenNoPreCopyCanFitTheLimit() {
        Forecast slowDevice = new Forecast(1, 0, 0, 0, 1, 0, 40 * MS, 20 * MS);
        MigrationParameters.Builder limits = MigrationParameters.builder().downtimeLimit(Duration.ofMillis(50));

        assertThat(SwitchoverPolicy.of(limits.build()).decide(slowDevice)).isEqualTo(Decision.GIVE_UP);
        assertThat(SwitchoverPolicy.of(limits.whenNotConverging(NotConverging.SWITCH_OVER)
                                .build())
                        .decide(slowDevice))
                .isEqualTo(Decision.CONTINUE);
        assertThat(SwitchoverPolicy.of(MigrationParameters.builder()
                                .downtimeLimit(Duration.ofMillis(60))
                                .build())
                        .decide(slowDevice))
                .isEqualTo(Decision.SWITCH_OVER);
    }

    private static Forecast forecast(int round, long elapsed, long initial, long transfer) {
        return new Forecast(round, elapsed, initial, 0, 1, transfer, 0, 0);
    }
}
