// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArcLapsTest {
    /** The single arcs of the kernel's state machine that keep the state, by what a device has. */
    private static final String BARE = "RUNNING-STOP STOP-RUNNING STOP-STOP_COPY STOP_COPY-STOP";

    private static final String P2P = "RUNNING-RUNNING_P2P RUNNING_P2P-RUNNING RUNNING_P2P-STOP STOP-RUNNING_P2P "
            + "STOP-STOP_COPY STOP_COPY-STOP";
    private static final String PRE_COPY = BARE + " RUNNING-PRE_COPY PRE_COPY-RUNNING PRE_COPY-STOP_COPY";
    private static final String BOTH = P2P + " RUNNING-PRE_COPY PRE_COPY-RUNNING PRE_COPY-PRE_COPY_P2P "
            + "PRE_COPY_P2P-PRE_COPY RUNNING_P2P-PRE_COPY_P2P PRE_COPY_P2P-RUNNING_P2P PRE_COPY_P2P-STOP_COPY";

    @ParameterizedTest
    @CsvSource({
        "precopy=on;p2p=on, " + BOTH,
        "precopy=on;p2p=off, " + PRE_COPY,
        "precopy=off;p2p=on, " + P2P,
        "precopy=off;p2p=off, " + BARE
    })
    void shouldTimeEveryArcThatTheDeviceHasAndKeepItsState(String keys, String arcs) throws IOException {
        try (Bench bench = new Bench("emulated:size=1MiB," + keys.replace(';', ','), 0)) {
            ArcTimes times = new ArcTimes();
            ArcLaps laps = new ArcLaps(bench.device, Pulse.NONE);
            laps.lap(times);
            laps.lap(times);

            assertThat(times.histograms().keySet().stream().map(Arc::tag).collect(Collectors.toSet()))
                    .isEqualTo(Set.of(arcs.split(" ")));
            assertThat(times.histograms().values()).allMatch(histogram -> histogram.getTotalCount() >= 2);
            bench.hasItsState();
        }
    }

    @Test
    void shouldNeverAskForTheArcsThatLockUpOldKernels() throws IOException {
        for (String keys : new String[] {"precopy=on,p2p=on", "precopy=on,p2p=off"}) {
            try (Bench bench = new Bench("emulated:size=1MiB," + keys, 0)) {
                MigrationState at = MigrationState.RUNNING;
                for (MigrationState target : ArcLaps.route(bench.device.features())) {
                    assertThat(target.isBlockedFrom(at)).as(at + " → " + target).isFalse();
                    at = target;
                }
                assertThat(at).isEqualTo(MigrationState.RUNNING);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                Vfio.VFIO_DEVICE_STATE_PRE_COPY,
                Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P,
                Vfio.VFIO_DEVICE_STATE_STOP_COPY
            })
    void shouldKeepTheStateWhenAnArcFails(int to) throws IOException {
        int from = to == Vfio.VFIO_DEVICE_STATE_PRE_COPY
                ? Vfio.VFIO_DEVICE_STATE_RUNNING
                : to == Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P
                        ? Vfio.VFIO_DEVICE_STATE_PRE_COPY
                        : Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
        try (Bench bench = new Bench("emulated:size=1MiB", 0)) {
            bench.emulated.faults().onArc(from, to).fail(Errno.EIO);

            assertThatThrownBy(() -> new ArcLaps(bench.device, Pulse.NONE).lap(new ArcTimes()))
                    .isInstanceOf(VfioException.class)
                    .hasMessageContaining("EIO");
            bench.hasItsState();
        }
    }

    @Test
    void shouldEndInRunningWhereverItIsCancelled() throws IOException {
        int steps;
        try (Bench bench = new Bench("emulated:size=1MiB", 0)) {
            steps = ArcLaps.route(bench.device.features()).size();
        }
        for (int i = 1; i <= steps; i++) {
            try (Bench bench = new Bench("emulated:size=1MiB", 0)) {
                AtomicInteger left = new AtomicInteger(i);
                Pulse ending = () -> {
                    if (left.decrementAndGet() == 0) {
                        throw new IOException("enough");
                    }
                };

                assertThatThrownBy(() -> new ArcLaps(bench.device, ending).lap(new ArcTimes()))
                        .hasMessage("enough");
                bench.hasItsState();
            }
        }
    }
}
