// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.emulator.Faults;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Forecast;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Listening;
import io.vfio4j.transport.TransportAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Migrations of a device that changes while it is read, on a clock that each of the device's calls advances. */
@ExtendWith(LeakCheck.class)
class EmulatedMigrationTest {
    private static final long WAIT_SECONDS = 60;

    /** What each look at the clock adds: a chunk of 1 MiB then takes a device of 100 MiB/s some 100 KiB of changes. */
    private static final long TICK_NANOS = 250_000;

    private static final MigrationParameters PARAMETERS =
            MigrationParameters.builder().chunks(4).build();

    @TempDir
    private Path folder = Path.of("");

    private EmulatedKernel kernel = new EmulatedKernel(LibC.system(), () -> 0);
    private final List<String> vmCalls = new ArrayList<>();

    private final VirtualMachine vm = new VirtualMachine() {
        @Override
        public void stop() {
            vmCalls.add("stop");
        }

        @Override
        public void resume() {
            vmCalls.add("resume");
        }
    };

    @BeforeEach
    void boot() {
        AtomicLong clock = new AtomicLong();
        kernel = new EmulatedKernel(LibC.system(), () -> clock.addAndGet(TICK_NANOS));
    }

    @AfterEach
    void shutDown() {
        kernel.close();
    }

    /** A source that changes, a destination that does not, and both ends of a migration between them. */
    private final class Pair implements AutoCloseable {
        final EmulatedDevice source;
        final EmulatedDevice destination;
        final VfioDevice from;
        final VfioDevice to;
        final ExecutorService executor = Executors.newSingleThreadExecutor();

        Pair(String spec) throws Exception {
            source = kernel.add(EmulatedDeviceSpec.parse(spec));
            destination = kernel.add(EmulatedDeviceSpec.parse(spec).withDirtyRate(0));
            from = source.open();
            to = destination.open();
        }

        MigrationReport migrate(MigrationParameters parameters, SwitchoverPolicy policy) throws Exception {
            TransportAddress socket = new TransportAddress.Unix(folder.resolve("migration.sock"));
            Listening listening = new Listening();
            IncomingMigration incoming = new IncomingMigration(
                    kernel, VfioDeviceHandler.inOrder(to), VirtualMachine.NONE, parameters, listening);
            Future<LoadReport> loaded = executor.submit(() -> incoming.run(socket));
            listening.await(WAIT_SECONDS);
            OutgoingMigration outgoing = new OutgoingMigration(
                    kernel, VfioDeviceHandler.inOrder(from), vm, parameters, policy, MigrationListener.NONE);
            try {
                MigrationReport report = outgoing.run(socket);
                assertThat(loaded.get(WAIT_SECONDS, TimeUnit.SECONDS).bytes()).isEqualTo(report.totalBytes());
                return report;
            } catch (MigrationException e) {
                assertThatThrownBy(() -> loaded.get(WAIT_SECONDS, TimeUnit.SECONDS))
                        .isInstanceOf(ExecutionException.class)
                        .hasCauseInstanceOf(MigrationException.class);
                throw e;
            }
        }

        MigrationReport migrate(MigrationParameters parameters) throws Exception {
            return migrate(parameters, SwitchoverPolicy.STANDARD);
        }

        @Override
        public void close() {
            executor.close();
            from.close();
            to.close();
        }
    }

    @Test
    void shouldArriveWholeWhenTheDeviceChangesMeanwhile() throws Exception {
        try (Pair pair = new Pair("emulated:size=64MiB,dirty=100MiB/s")) {
            MigrationReport report = pair.migrate(PARAMETERS);

            assertThat(report.preCopyBytes()).isGreaterThan(64L << 20);
            assertThat(pair.from.state()).isEqualTo(MigrationState.STOP);
            assertThat(pair.to.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(pair.destination.digest()).isEqualTo(pair.source.digest());
            assertThat(report.downtime().total()).isPositive();
            assertThat(vmCalls).containsExactly("stop");
        }
    }

    @Test
    void shouldNotSwitchOverWhileInitialBytesAreOutstanding() throws Exception {
        List<Forecast> forecasts = new ArrayList<>();
        SwitchoverPolicy usual = SwitchoverPolicy.STANDARD;
        try (Pair pair = new Pair("emulated:size=16MiB,initial=4MiB")) {
            pair.source.faults().on(Faults.Kind.READ).nth(30).run(pair.source::reinit);

            pair.migrate(PARAMETERS, (forecast, limits) -> {
                forecasts.add(forecast);
                return usual.decide(forecast, limits);
            });

            assertThat(forecasts).isNotEmpty();
            assertThat(forecasts.getLast().requiredBytes()).isZero();
            assertThat(pair.destination.digest()).isEqualTo(pair.source.digest());
        }
    }

    @Test
    void shouldAssumeTheWorstWhenTheDeviceCannotTellHowMuchIsLeft() throws Exception {
        MigrationParameters parameters = MigrationParameters.builder()
                .chunks(4)
                .maxRounds(3)
                .whenNotConverging(NotConverging.GIVE_UP)
                .build();
        try (Pair pair = new Pair("emulated:size=4MiB,dirty=1MiB/s")) {
            pair.source.faults().on(Faults.Kind.DATA_SIZE).always().fail(Errno.EIO);

            assertThatThrownBy(() -> pair.migrate(parameters))
                    .asInstanceOf(type(MigrationException.class))
                    .extracting(MigrationException::reason)
                    .isEqualTo(Reason.NOT_CONVERGED);
            assertThat(pair.from.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(pair.to.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(vmCalls).isEmpty();
        }
    }

    @Test
    void shouldSwitchOverAnywayWhenTheCallerWantsThat() throws Exception {
        MigrationParameters parameters = MigrationParameters.builder()
                .chunks(4)
                .downtimeLimit(Duration.ofNanos(1))
                .maxRounds(2)
                .whenNotConverging(NotConverging.SWITCH_OVER)
                .build();
        try (Pair pair = new Pair("emulated:size=8MiB,dirty=50MiB/s")) {
            MigrationReport report = pair.migrate(parameters);

            assertThat(report.rounds()).isEqualTo(2);
            assertThat(report.stopCopyBytes()).isPositive();
            assertThat(pair.destination.digest()).isEqualTo(pair.source.digest());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "RUNNING, PRE_COPY, false",
        "PRE_COPY, PRE_COPY_P2P, true",
        "PRE_COPY_P2P, STOP_COPY, true",
    })
    void shouldRunOnAtTheSourceWhenAnArcFailsThere(MigrationState from, MigrationState to, boolean vmWasStopped)
            throws Exception {
        try (Pair pair = new Pair("emulated:size=4MiB")) {
            pair.source.faults().onArc(from.code(), to.code()).nth(1).fail(Errno.EIO);

            assertThatThrownBy(() -> pair.migrate(PARAMETERS))
                    .hasMessageContaining("EIO (5)")
                    .asInstanceOf(type(MigrationException.class))
                    .extracting(MigrationException::reason)
                    .isEqualTo(Reason.DEVICE);
            assertThat(pair.from.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(pair.to.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(vmCalls).isEqualTo(vmWasStopped ? List.of("stop", "resume") : List.of());
        }
    }

    @ParameterizedTest
    @CsvSource({"READ, 3", "READ, 9", "SET_STATE, 2"})
    void shouldRunOnAtTheSourceWhenACallFailsThere(Faults.Kind kind, int nth) throws Exception {
        try (Pair pair = new Pair("emulated:size=8MiB")) {
            pair.source.faults().on(kind).nth(nth).fail(Errno.EIO);

            assertThatThrownBy(() -> pair.migrate(PARAMETERS)).hasMessageContaining("EIO (5)");
            assertThat(pair.from.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(pair.to.state()).isEqualTo(MigrationState.RUNNING);
        }
    }

    @ParameterizedTest
    @CsvSource({"WRITE, 1", "WRITE, 5", "SET_STATE, 1", "SET_STATE, 2"})
    void shouldRunOnAtTheSourceWhenACallFailsAtTheDestination(Faults.Kind kind, int nth) throws Exception {
        try (Pair pair = new Pair("emulated:size=8MiB")) {
            long before = pair.source.digest();
            pair.destination.faults().on(kind).nth(nth).fail(Errno.ENOMEM);

            assertThatThrownBy(() -> pair.migrate(PARAMETERS))
                    .hasMessageContaining("ENOMEM (12)")
                    .asInstanceOf(type(MigrationException.class))
                    .extracting(MigrationException::reason)
                    .isEqualTo(Reason.PEER_FAILED);
            assertThat(pair.from.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(pair.to.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(pair.source.digest()).isEqualTo(before);
        }
    }

    @Test
    void shouldSayThatTheSessionEndedWhenTheSourceIsResetMeanwhile() throws Exception {
        try (Pair pair = new Pair("emulated:size=8MiB")) {
            pair.source.faults().on(Faults.Kind.READ).nth(4).run(pair.source::reset);

            assertThatThrownBy(() -> pair.migrate(PARAMETERS)).hasMessageContaining("the device was reset");
            assertThat(pair.from.state()).isEqualTo(MigrationState.RUNNING);
        }
    }

    @Test
    void shouldMigrateADeviceThatIsStopped() throws Exception {
        try (Pair pair = new Pair("emulated:size=4MiB,dirty=10MiB/s")) {
            pair.from.setState(MigrationState.STOP, MigrationState.RUNNING);

            MigrationReport report = pair.migrate(PARAMETERS);

            assertThat(report.preCopyBytes()).isZero();
            assertThat(pair.destination.digest()).isEqualTo(pair.source.digest());
        }
    }
}
