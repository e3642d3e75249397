// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class MigrationParametersTest {
    private static final Duration TOO_LONG = Duration.ofDays(1).plusNanos(1);

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
                bad("maxBytesPerSecond", "-1", b -> b.maxBytesPerSecond(-1)),
                bad("downtimeLimit", "PT0S", b -> b.downtimeLimit(Duration.ZERO)),
                bad("downtimeLimit", "PT24H0.000000001S", b -> b.downtimeLimit(TOO_LONG)),
                bad("maxPreCopy", "PT-1S", b -> b.maxPreCopy(Duration.ofSeconds(-1))),
                bad("maxPreCopy", "PT24H0.000000001S", b -> b.maxPreCopy(TOO_LONG)),
                bad("peerLimit", "PT0S", b -> b.peerLimit(Duration.ZERO)),
                bad("peerLimit", "PT24H1S", b -> b.peerLimit(Duration.ofSeconds(86_401))),
                bad("acceptLimit", "PT0S", b -> b.acceptLimit(Duration.ZERO)),
                bad("acceptLimit", "PT24H0.000000001S", b -> b.acceptLimit(TOO_LONG)),
                bad("handlerLimit", "PT-0.000000001S", b -> b.handlerLimit(Duration.ofNanos(-1))),
                bad("handlerLimit", "PT24H0.000000001S", b -> b.handlerLimit(TOO_LONG)));
    }

    static Stream<Arguments> badChanges() {
        return Stream.of(
                change("downtimeLimit", limits -> limits.withDowntimeLimit(Duration.ofNanos(-1))),
                change("downtimeLimit", limits -> limits.withDowntimeLimit(TOO_LONG)),
                change("maxRounds", limits -> limits.withMaxRounds(Integer.MIN_VALUE)),
                change("maxPreCopy", limits -> limits.withMaxPreCopy(Duration.ZERO)),
                change("maxPreCopy", limits -> limits.withMaxPreCopy(TOO_LONG)),
                change("maxPreCopyBytes", limits -> limits.withMaxPreCopyBytes(-1)),
                change("maxBytesPerSecond", limits -> limits.withMaxBytesPerSecond(Long.MIN_VALUE)));
    }

    private static Arguments change(String name, UnaryOperator<MigrationLimits> change) {
        return arguments(name, change);
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

    /** What a migration has to keep to can be changed while it runs. */
    @ParameterizedTest
    @MethodSource("badChanges")
    void shouldNameTheBadValueOfAChange(String name, UnaryOperator<MigrationLimits> change) {
        assertThatThrownBy(() -> change.apply(MigrationParameters.DEFAULT.limits()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(name + " is ");
    }

    @ParameterizedTest
    @MethodSource("ends")
    void shouldTakeTheEndsOfEveryRange(int chunkBytes, int chunks, Duration duration, long count) {
        MigrationParameters parameters = MigrationParameters.builder()
                .chunkBytes(chunkBytes)
                .chunks(chunks)
                .peerLimit(duration)
                .acceptLimit(duration)
                .handlerLimit(duration)
                .downtimeLimit(duration)
                .maxPreCopy(duration)
                .maxRounds((int) Math.min(count, Integer.MAX_VALUE))
                .maxPreCopyBytes(count)
                .maxBytesPerSecond(count)
                .build();

        MigrationLimits limits = parameters
                .limits()
                .withDowntimeLimit(duration)
                .withMaxPreCopy(duration)
                .withMaxRounds((int) Math.min(count, Integer.MAX_VALUE))
                .withMaxPreCopyBytes(count)
                .withMaxBytesPerSecond(count);

        assertThat(limits).isEqualTo(parameters.limits());
    }

    static Stream<Arguments> ends() {
        return Stream.of(
                arguments(4096, 2, Duration.ofNanos(1), 0),
                arguments(64 << 20, MigrationParameters.MAX_CHUNKS, Duration.ofDays(1), Long.MAX_VALUE));
    }

    @Test
    void shouldLimitTheDowntimeTo300MillisecondsWhenNothingElseIsSaid() {
        assertThat(MigrationParameters.DEFAULT.limits().downtimeLimit()).isEqualTo(Duration.ofMillis(300));
        assertThat(MigrationParameters.DEFAULT.chunkBytes()).isEqualTo(1 << 20);
    }
}
