// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AddressRangeTest {
    private static final AddressRange TOP = new AddressRange(-0x2000, 0x2000);

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void shouldRefuseALengthThatIsNone(long length) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressRange(0x1000, length))
                .withMessageContaining("a length above 0");
    }

    @Test
    void shouldEndAtTheLastAddressOfAllAndNotBeyond() {
        assertThat(TOP.last()).isEqualTo(-1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressRange(-0x2000, 0x2001))
                .withMessageContaining("0xffffffffffffe000 ends beyond 64 bits");
        assertThat(new AddressRange(0, Long.MAX_VALUE).last()).isEqualTo(Long.MAX_VALUE - 1);
        assertThat(new AddressRange(Long.MAX_VALUE, Long.MAX_VALUE).last()).isEqualTo(-3);
    }

    @ParameterizedTest
    @CsvSource({
        "0x1000, 0x1000, 0x1000, 0x1000, true, true",
        "0x1000, 0x3000, 0x2000, 0x1000, true, true",
        "0x1000, 0x3000, 0x3000, 0x2000, true, false",
        "0x1000, 0x1000, 0x2000, 0x1000, false, false",
        "0x2000, 0x1000, 0x1000, 0x1000, false, false",
        "0x2000, 0x1000, 0x1000, 0x3000, true, false",
    })
    void shouldTellWhetherOneOverlapsOrContainsAnother(
            String start, String length, String otherStart, String otherLength, boolean overlaps, boolean contains) {
        AddressRange range = new AddressRange(Long.decode(start), Long.decode(length));
        AddressRange other = new AddressRange(Long.decode(otherStart), Long.decode(otherLength));

        assertThat(range.overlaps(other)).isEqualTo(overlaps);
        assertThat(other.overlaps(range)).isEqualTo(overlaps);
        assertThat(range.contains(other)).isEqualTo(contains);
    }

    @Test
    void shouldCompareAddressesWithoutSign() {
        AddressRange low = new AddressRange(0x1000, 0x1000);
        AddressRange middle = new AddressRange(0x7fff_ffff_ffff_f000L, 0x2000);

        assertThat(List.of(TOP, low, middle).stream().sorted()).containsExactly(low, middle, TOP);
        assertThat(middle.contains(new AddressRange(0x8000_0000_0000_0000L, 0x1000)))
                .isTrue();
        assertThat(TOP.overlaps(low)).isFalse();
        assertThat(TOP.contains(new AddressRange(-1, 1))).isTrue();
        assertThat(TOP.contains(new AddressRange(-0x2001, 1))).isFalse();
        assertThat(low.compareTo(new AddressRange(0x1000, 0x2000))).isNegative();
        assertThat(low.compareTo(new AddressRange(0x1000, 0x1000))).isZero();
    }

    @Test
    void shouldReturnWhatBothHave() {
        assertThat(new AddressRange(0x1000, 0x3000).intersect(new AddressRange(0x2000, 0x8000)))
                .isEqualTo(new AddressRange(0x2000, 0x2000));
        assertThat(TOP.intersect(new AddressRange(-0x1000, 0x1000))).isEqualTo(new AddressRange(-0x1000, 0x1000));
        assertThat(TOP.intersect(new AddressRange(-0x8000, 0x6001))).isEqualTo(new AddressRange(-0x2000, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> TOP.intersect(new AddressRange(0, 0x1000)));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressRange(0, 0x1000).intersect(new AddressRange(0x1000, 0x1000)));
    }

    @Test
    void shouldNameBothEnds() {
        assertThat(new AddressRange(0x1000, 0x1000)).hasToString("0x1000-0x1fff");
        assertThat(TOP).hasToString("0xffffffffffffe000-0xffffffffffffffff");
    }
}
