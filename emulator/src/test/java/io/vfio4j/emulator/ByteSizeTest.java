// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {
    @ParameterizedTest
    @CsvSource({"0,0", "4096,4096", "7B,7", "64KiB,65536", "100MiB,104857600", "1GiB,1073741824"})
    void shouldReadASize(String text, long bytes) {
        assertThat(ByteSize.parse(text)).isEqualTo(bytes);
        assertThat(ByteSize.parseRate(text + "/s")).isEqualTo(bytes);
    }

    @ParameterizedTest
    @CsvSource({"0,0B", "7,7B", "65536,64KiB", "1610612736,1536MiB", "1073741824,1GiB", "2199023255552,2048GiB"})
    void shouldWriteTheLargestUnitWithoutAFraction(long bytes, String text) {
        assertThat(ByteSize.format(bytes)).isEqualTo(text);
        assertThat(ByteSize.parse(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-1", "1.5GiB", "1GB", "1gib", "GiB", "1 GiB", "1MiB/s", "0x10"})
    void shouldRefuseWhatIsNoSize(String text) {
        assertThatThrownBy(() -> ByteSize.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("\"" + text + "\" is not a size such as 4096, 64KiB, 100MiB or 1GiB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"9223372036854775808", "9223372036854775807KiB"})
    void shouldRefuseWhatIsTooLarge(String text) {
        assertThatThrownBy(() -> ByteSize.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("\"" + text + "\" is too large");
    }

    @Test
    void shouldTakeARateOfZeroWithoutItsUnit() {
        assertThat(ByteSize.parseRate("0")).isZero();
        assertThatThrownBy(() -> ByteSize.parseRate("5"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("\"5\" is not a rate");
    }
}
