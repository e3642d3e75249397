// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.emulator.EmulatedDeviceSpec.Drained;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmulatedDeviceSpecTest {
    @Test
    void shouldReadEveryKey() {
        EmulatedDeviceSpec spec = EmulatedDeviceSpec.parse("emulated:size=1GiB,dirty=100MiB/s,initial=64MiB,"
                + "drained=zero,precopy=off,p2p=off,seed=-7,short-read=7,short-write=4KiB,sparse=on,arc=5ms");
        assertThat(spec)
                .isEqualTo(new EmulatedDeviceSpec(
                        1L << 30, 100L << 20, 64L << 20, Drained.ZERO, false, false, -7, 7, 4096, true, 5));
    }

    @ParameterizedTest
    @ValueSource(strings = {"emulated", "emulated:"})
    void shouldBeTheDefaultWhenNothingIsSaid(String text) {
        assertThat(EmulatedDeviceSpec.parse(text)).isEqualTo(EmulatedDeviceSpec.DEFAULT);
        assertThat(EmulatedDeviceSpec.DEFAULT)
                .isEqualTo(new EmulatedDeviceSpec(64L << 20, 0, 0, Drained.ENOMSG, true, true, 1, 0, 0, false, 0))
                .hasToString("emulated:size=64MiB");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "emulated:size=1GiB,dirty=100MiB/s",
                "emulated:size=4100KiB,dirty=1B/s,initial=8KiB,drained=zero,precopy=off,p2p=off,seed=9,"
                        + "short-read=7B,short-write=1KiB,sparse=on,arc=5ms"
            })
    void shouldWriteWhatItReads(String text) {
        assertThat(EmulatedDeviceSpec.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "emulatd:size=1GiB | \"emulatd:size=1GiB\" is not an emulated device: must begin with emulated:",
                "emulated:sise=1GiB | unknown key \"sise\" in \"emulated:sise=1GiB\"; the keys are size, dirty, initial,"
                        + " drained, precopy, p2p, seed, short-read, short-write, sparse, arc",
                "emulated:size | \"size\" in \"emulated:size\" is not key=value; the keys are size, dirty, initial,"
                        + " drained, precopy, p2p, seed, short-read, short-write, sparse, arc",
                "emulated:size=1GiB, | \"\" in \"emulated:size=1GiB,\" is not key=value; the keys are size, dirty,"
                        + " initial, drained, precopy, p2p, seed, short-read, short-write, sparse, arc",
                "emulated:size=1GiB,size=2GiB | key \"size\" is given twice in \"emulated:size=1GiB,size=2GiB\"",
                "emulated:size=1GB | size: \"1GB\" is not a size such as 4096, 64KiB, 100MiB or 1GiB",
                "emulated:size=1000 | size=1000B: must be a multiple of 4KiB, from 4KiB to 1024GiB",
                "emulated:size=0 | size=0B: must be a multiple of 4KiB, from 4KiB to 1024GiB",
                "emulated:size=2048GiB | size=2048GiB: must be a multiple of 4KiB, from 4KiB to 1024GiB",
                "emulated:dirty=100MiB | dirty: \"100MiB\" is not a rate such as 500KiB/s, 100MiB/s or 1GiB/s",
                "emulated:size=1MiB,initial=2MiB | initial=2MiB: must not be larger than size=1MiB (0 means all of it)",
                "emulated:drained=never | drained=never: must be enomsg or zero",
                "emulated:precopy=yes | precopy=yes: must be on or off",
                "emulated:seed=x | seed=x: must be a whole number",
                "emulated:arc=5 | arc=5: must be whole milliseconds, such as 5ms",
                "emulated:arc=1.5ms | arc=1.5ms: must be whole milliseconds, such as 5ms",
                "emulated:arc=-1ms | arc=-1ms: must be 0ms to 60000ms",
                "emulated:arc=60001ms | arc=60001ms: must be 0ms to 60000ms"
            })
    void shouldNameTheBadKeyOrValueAndWhatIsAllowed(String text, String message) {
        assertThatThrownBy(() -> EmulatedDeviceSpec.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }

    @Test
    void shouldKnowItsOwnNames() {
        assertThat(EmulatedDeviceSpec.isSpec("emulated:size=1GiB")).isTrue();
        assertThat(EmulatedDeviceSpec.isSpec("emulated")).isTrue();
        assertThat(EmulatedDeviceSpec.isSpec("/dev/vfio/devices/vfio0")).isFalse();
    }

    @Test
    void shouldReplaceOneValue() {
        EmulatedDeviceSpec spec = EmulatedDeviceSpec.parse("emulated:size=1GiB,dirty=100MiB/s");
        assertThat(spec.withDirtyRate(0)).hasToString("emulated:size=1GiB");
        assertThat(spec.withSeed(5)).hasToString("emulated:size=1GiB,dirty=100MiB/s,seed=5");
    }
}
