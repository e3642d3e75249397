// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PaceTest {
    private static final long MS = 1_000_000;

    @Test
    void shouldKeepThePace() {
        Pace pace = new Pace(0);
        pace.sent(500, 1000, 0);
        assertThat(pace.waitNanos(0)).isEqualTo(500 * MS);
        assertThat(pace.waitNanos(500 * MS)).isZero();
        // A pause of a second gives no burst of a second: 50 ms may be caught up on.
        pace.sent(100, 1000, 1500 * MS);
        assertThat(pace.waitNanos(1500 * MS)).isEqualTo(50 * MS);
    }

    @Test
    void shouldNeverWaitWhenThereIsNoPace() {
        Pace pace = new Pace(0);
        pace.sent(Long.MAX_VALUE, 0, 0);
        assertThat(pace.waitNanos(0)).isZero();
    }

    @Test
    void shouldFollowARateThatChanges() {
        Pace pace = new Pace(0);
        pace.sent(500, 1000, 0);
        pace.sent(500, 100_000, 0);
        assertThat(pace.waitNanos(0)).isEqualTo(505 * MS);
        pace.sent(500, 0, 10 * MS);
        assertThat(pace.waitNanos(10 * MS)).isZero();
    }
}
