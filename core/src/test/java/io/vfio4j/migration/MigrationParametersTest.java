// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class MigrationParametersTest {
    static Stream<Arguments> badValues() {
        return Stream.of(
                bad("chunkBytes", "0", b -> b.chunkBytes(0)),
                bad("chunkBytes", "4095", b -> b.chunkBytes(4095)),
                bad("chunkBytes", "5000", b -> b.chunkBytes(5000)),
                bad("chunkBytes", "67112960", b -> b.chunkBytes((64 << 20) + 4096)),
                bad("chunks", "1", b -> b.chunks(1)),
                bad("chunks", "2049", b -> b.chunks(2049)),
                bad("maxRounds", "-1", b -> b.maxRounds(-1)),
                bad("maxPreCopyBytes", "-1", b -> b.maxPreCopyBytes(-1)),
                bad("handlerLimit", "PT0S", b -> b.handlerLimit(Duration.ZERO)),
                bad("maxBytesPerSecond", "-1", b -> b.maxBytesPerSecond(-1)),
                bad("downtimeLimit", "PT0S", b -> b.downtimeLimit(Duration.ZERO)),
                bad("maxPreCopy", "PT-1S", b -> b.maxPreCopy(Duration.ofSeconds(-1))),
                bad("peerLimit", "PT24H1S", b -> b.peerLimit(Duration.ofSeconds(86_401))),
                bad("acceptLimit", "PT0S", b -> b.acceptLimit(Duration.ZERO)));
    }

    private static Arguments bad(String name, String value, Consumer<MigrationParameters.Builder> set) {
        return arguments(name, value, set);
    }

    @ParameterizedTest
    @MethodSource("badValues")
    void shouldNameTheBadValue(String name, String value, Consumer<MigrationParameters.Builder> set) {
        MigrationParameters.Builder builder = MigrationParameters.builder();
        set.accept(builder);
        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(name + " is ")
                .hasMessageEndingWith(", not " + value);
    }

    @Test
    void shouldTakeTheEndsOfEveryRange() {
        MigrationParameters.builder()
                .chunkBytes(4096)
                .chunks(2)
                .peerLimit(Duration.ofNanos(1))
                .build();
        MigrationParameters.builder()
                .chunkBytes(64 << 20)
                .chunks(2048)
                .peerLimit(Duration.ofDays(1))
                .build();
    }

    @Test
    void shouldLimitTheDowntimeTo300MillisecondsWhenNothingElseIsSaid() {
        assertThat(MigrationParameters.DEFAULT.limits().downtimeLimit()).isEqualTo(Duration.ofMillis(300));
        assertThat(MigrationParameters.DEFAULT.chunkBytes()).isEqualTo(1 << 20);
    }
}
