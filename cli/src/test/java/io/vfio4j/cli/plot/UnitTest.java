// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UnitTest {
    @ParameterizedTest
    @CsvSource({"0, ns, 1", "999, ns, 1", "1000, µs, 1000", "1999999, ms, 1000000", "1e9, s, 1e9", "9e18, s, 1e9"})
    void shouldShowTimesInTheLargestUnitThatTheyReach(double nanos, String name, double size) {
        assertThat(Unit.ofNanos(nanos)).isEqualTo(new Unit(name, size));
    }

    @ParameterizedTest
    @CsvSource({"0, B, 1", "1023, B, 1", "1024, KiB, 1024", "1073741824, GiB, 1073741824", "9e18, TiB, 1099511627776"})
    void shouldShowBytesInTheLargestUnitThatTheyReach(double bytes, String name, double size) {
        assertThat(Unit.ofBytes(bytes)).isEqualTo(new Unit(name, size));
        assertThat(Unit.ofRate(bytes)).isEqualTo(new Unit(name + "/s", size));
    }
}
