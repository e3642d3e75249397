// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class BandwidthTest {
    private static final long MS = 1_000_000;
    private static final Percentage CLOSE = Percentage.withPercentage(0.1);

    private final Bandwidth bandwidth = new Bandwidth();

    @Test
    void shouldAssumeARateWhenNothingWasMeasured() {
        assertThat(bandwidth.bytesPerSecond()).isEqualTo(Bandwidth.UNMEASURED_BYTES_PER_SECOND);
        bandwidth.transferred(1000, MS);
        assertThat(bandwidth.bytesPerSecond()).isEqualTo(Bandwidth.UNMEASURED_BYTES_PER_SECOND);
    }

    @Test
    void shouldMeasureTheRateOverWindows() {
        bandwidth.transferred(10_000_000, 20 * MS);
        assertThat(bandwidth.bytesPerSecond()).isCloseTo(500_000_000L, CLOSE);

        for (int i = 0; i < 40; i++) {
            bandwidth.transferred(1_000_000, 10 * MS);
        }
        assertThat(bandwidth.bytesPerSecond()).isCloseTo(100_000_000L, Percentage.withPercentage(1));
    }

    @Test
    void shouldCountBytesAsFastAsTheyHaveReallyGone() {
        bandwidth.transferred(100_000_000, 20 * MS);
        assertThat(bandwidth.bytesPerSecond()).isCloseTo(5_000_000_000L, CLOSE);

        bandwidth.settled(980 * MS);
        assertThat(bandwidth.bytesPerSecond()).isCloseTo(100_000_000L, CLOSE);

        // A round that waits for nothing says nothing new.
        bandwidth.settled(MS / 2);
        assertThat(bandwidth.bytesPerSecond()).isCloseTo(100_000_000L, CLOSE);
    }
}
