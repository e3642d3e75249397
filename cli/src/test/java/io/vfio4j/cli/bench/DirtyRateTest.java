// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static io.vfio4j.cli.bench.Bench.MIB;
import static io.vfio4j.cli.bench.Bench.MINUTE;
import static io.vfio4j.cli.bench.Bench.SECOND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.vfio4j.cli.bench.DirtyReport.Sample;
import io.vfio4j.device.MigrationState;
import io.vfio4j.emulator.Faults;
import io.vfio4j.ffm.Errno;
import java.io.IOException;
import java.util.List;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DirtyRateTest {
    private static final Percentage SOME_BLOCKS_TWICE = Percentage.withPercentage(12);

    @ParameterizedTest
    @ValueSource(strings = {"enomsg", "zero"})
    void shouldSeeTheRateOfTheDevice(String drained) throws IOException {
        try (Bench bench = new Bench("emulated:size=64MiB,dirty=8MiB/s,drained=" + drained, 0)) {
            DirtyReport report = new DirtyRate(bench.device, MINUTE, bench.time, Pulse.NONE).measure();

            assertThat(report.growthPerSecond()).isCloseTo(8 * MIB, SOME_BLOCKS_TWICE);
            assertThat(report.resentPerSecond()).isCloseTo(8 * MIB, SOME_BLOCKS_TWICE);
            assertThat(report.drained()).isTrue();
            assertThat(report.samples()).hasSizeBetween(90, 101).first().isEqualTo(new Sample(0, 0));
            assertThat(bench.device.state()).isEqualTo(MigrationState.RUNNING);
        }
    }

    @Test
    void shouldEndTheLookEarlyWhenMuchHasChanged() throws IOException {
        try (Bench bench = new Bench("emulated:size=64MiB,dirty=128MiB/s", 0)) {
            DirtyReport report = new DirtyRate(bench.device, MINUTE, bench.time, Pulse.NONE).measure();

            assertThat(report.samples().getLast().nanos()).isLessThan(SECOND / 8);
            assertThat(report.growthPerSecond()).isCloseTo(128 * MIB, SOME_BLOCKS_TWICE);
        }
    }

    @Test
    void shouldSeeNothingWhenTheDeviceDoesNotChange() throws IOException {
        try (Bench bench = new Bench("emulated:size=1MiB", 0)) {
            DirtyReport report = new DirtyRate(bench.device, MINUTE, bench.time, Pulse.NONE).measure();

            assertThat(report.growthPerSecond()).isZero();
            assertThat(report.resentPerSecond()).isZero();
            bench.hasItsState();
        }
    }

    @Test
    void shouldEndAndSaySoWhenTheDeviceChangesFasterThanItIsRead() throws IOException {
        // The clock moves with each look, the emulator's own included: by more than a chunk is worth.
        try (Bench bench = new Bench("emulated:size=4MiB,dirty=64GiB/s", SECOND / 1000)) {
            DirtyReport report = new DirtyRate(bench.device, MINUTE, bench.time, Pulse.NONE).measure();

            assertThat(report.drained()).isFalse();
            assertThat(report.resentBytes()).isBetween(8 * MIB, 10 * MIB);
            assertThat(bench.device.state()).isEqualTo(MigrationState.RUNNING);
        }
    }

    @Test
    void shouldKeepTheStateWhenReadingFails() throws IOException {
        try (Bench bench = new Bench("emulated:size=4MiB", 0)) {
            bench.emulated.faults().on(Faults.Kind.READ).nth(2).fail(Errno.EIO);

            assertThatThrownBy(() -> new DirtyRate(bench.device, MINUTE, bench.time, Pulse.NONE).measure())
                    .hasMessageContaining("EIO");
            bench.hasItsState();
        }
    }

    @Test
    void shouldFitTheLineThatIsNearestToTheSamples() {
        DirtyReport exact = report(new Sample(0, 500), new Sample(SECOND, 600), new Sample(2 * SECOND, 700));
        assertThat(exact.growthPerSecond()).isEqualTo(100);

        DirtyReport noisy = report(new Sample(0, 0), new Sample(SECOND, 150), new Sample(2 * SECOND, 200));
        assertThat(noisy.growthPerSecond()).isEqualTo(100);

        DirtyReport falling = report(new Sample(0, 200), new Sample(SECOND, 0));
        assertThat(falling.growthPerSecond()).isZero();

        assertThat(report(new Sample(7, 200)).growthPerSecond()).isZero();
        assertThat(report().growthPerSecond()).isZero();
    }

    @Test
    void shouldDivideWhatWasReadAgainByItsTime() {
        assertThat(new DirtyReport(List.of(), 300, SECOND / 2, true).resentPerSecond())
                .isCloseTo(600, within(0L));
        assertThat(new DirtyReport(List.of(), 300, 0, true).resentPerSecond()).isZero();
    }

    private static DirtyReport report(Sample... samples) {
        return new DirtyReport(List.of(samples), 0, 0, true);
    }
}
