// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Both sides of a migration in this JVM, between two scripted devices. */
@ExtendWith(LeakCheck.class)
class MigrationTest {
    @TempDir
    private Path folder;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final Recorder sourceEvents = new Recorder();
    private final Recorder destinationEvents = new Recorder();
    private final RecordingVm sourceVm = new RecordingVm();
    private final RecordingVm destinationVm = new RecordingVm();
    private final Seed seed = new Seed();
    private ScriptedDevice source;
    private ScriptedDevice destination;
    private Overlap overlap = Overlap.OFF;
    private DeviceIdentity identity = new DeviceIdentity("mdev:script", "scripted");
    private Duration peerLimit = Duration.ofSeconds(60);

    @BeforeEach
    void makeDevices() {
        Random random = seed.random();
        source = new ScriptedDevice(libc);
        destination = new ScriptedDevice(libc).in("STOP");
        source.preCopyState = randomBytes(random, 300_001);
        source.stopCopyState = randomBytes(random, 70_007);
        source.stopCopyLength = source.stopCopyState.length;
        source.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 0);
            return 0;
        };
    }

    @AfterEach
    void assertNothingWrong() {
        sourceEvents.assertNothingWrong();
        destinationEvents.assertNothingWrong();
    }

    @AfterEach
    void closeDevices() {
        source.close();
        destination.close();
    }

    @ParameterizedTest
    @CsvSource({
        "tcp, OFF",
        "tcp, ON",
        "zero-copy, OFF",
        "zero-copy, ON",
        "unix, OFF",
        "unix, ON",
        "file, OFF",
        "file, ON"
    })
    void shouldMoveTheWholeStateAndTheRun(String transport, Overlap how) throws Exception {
        overlap = how;
        MigrationReport report;
        if (transport.equals("file")) {
            TransportAddress file = new TransportAddress.File(folder.resolve("state"));
            report = outgoing().run(file);
            assertThat(source.state()).isEqualTo("STOP");
            incoming().run(file);
        } else {
            try (Receiving receiving = new Receiving(transport)) {
                TransportAddress address = receiving.address();
                report = outgoing()
                        .run(
                                address instanceof TransportAddress.Tcp tcp
                                        ? new TransportAddress.Tcp(
                                                tcp.host(), tcp.port(), transport.equals("zero-copy"))
                                        : address);
                assertThat(receiving.failure()).isNull();
            }
        }
        assertThat(destination.loaded).as(seed.toString()).isEqualTo(wholeState());
        assertThat(report.totalBytes()).isEqualTo(wholeState().length);
        assertThat(source.state()).isEqualTo("STOP");
        assertThat(destination.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.calls).containsExactly("stop");
        assertThat(destinationVm.calls).containsExactly("resume");
        assertThat(sourceEvents.phases).endsWith(Phase.STOP_COPY, Phase.HANDOVER, Phase.COMPLETED);
        assertThat(destinationEvents.phases)
                .containsExactly(Phase.SETUP, Phase.RECEIVING, Phase.HANDOVER, Phase.COMPLETED);
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                Vfio.VFIO_MIGRATION_STOP_COPY,
                Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_P2P,
                Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_PRE_COPY
            })
    void shouldMoveDevicesWithFewerFeatures(int features) throws Exception {
        source.features = features;
        destination.features = features;
        boolean preCopy = (features & Vfio.VFIO_MIGRATION_PRE_COPY) != 0;
        try (Receiving receiving = new Receiving("unix")) {
            outgoing().run(receiving.address());
            assertThat(receiving.failure()).isNull();
        }
        assertThat(destination.loaded).isEqualTo(preCopy ? wholeState() : source.stopCopyState);
        assertThat(destination.state()).isEqualTo("RUNNING");
    }

    @Test
    void shouldTakeTheDeviceBackWhenTheDestinationRefusesTheState() throws Exception {
        destination.failSet("STOP", Errno.EINVAL, "RESUMING");
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing().run(receiving.address()));

            assertThat(e.reason()).isEqualTo(Reason.PEER_FAILED);
            assertThat(e).hasMessageContaining("setting state STOP failed: EINVAL");
            assertThat(reasonOf(receiving.failure())).isEqualTo(Reason.DEVICE);
        }
        assertSourceRunsAgain();
        assertThat(destinationVm.calls).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(names = {"OFF", "ON"})
    void shouldTakeTheDeviceBackWhenTheDestinationsDriverFails(Overlap how) throws Exception {
        overlap = how;
        libc.writes(1000, Errno.EFAULT.negated());
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing().run(receiving.address()));

            assertThat(e.reason()).isEqualTo(Reason.PEER_FAILED);
            assertThat(e).hasMessageContaining("its driver refused the state");
            receiving.failure();
        }
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(destination.calls()).contains("RESET");
    }

    @Test
    void shouldRefuseEarlyWhenTheDevicesDiffer() throws Exception {
        destination.features = Vfio.VFIO_MIGRATION_STOP_COPY;
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing().run(receiving.address()));

            assertThat(e.reason()).isEqualTo(Reason.REFUSED);
            assertThat(e).hasMessageContaining("migration features");
            assertThat(reasonOf(receiving.failure())).isEqualTo(Reason.REFUSED);
        }
        assertThat(destination.calls()).doesNotContain("SET RESUMING", "RESET");
        assertThat(sourceVm.calls).isEmpty();
        assertThat(source.state()).isEqualTo("RUNNING");
    }

    @Test
    void shouldGiveUpWhenPreCopyDoesNotConverge() throws Exception {
        source.stopCopyLength = Errno.ENOTTY.negated();
        MigrationParameters impatient = parameters()
                .downtimeLimit(Duration.ofMillis(1))
                .maxPreCopy(Duration.ofNanos(1))
                .build();
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing(impatient).run(receiving.address()));
            assertThat(e.reason()).isEqualTo(Reason.NOT_CONVERGED);
            assertThat(reasonOf(receiving.failure())).isEqualTo(Reason.PEER_FAILED);
        }
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.calls).isEmpty();
    }

    @Test
    void shouldResumeTheVirtualMachineWhenItsStopFails() throws Exception {
        sourceVm.stopFailure = new IOException("no stop");
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing().run(receiving.address()));
            assertThat(e).hasMessage("the virtual machine: no stop");
            receiving.failure();
        }
        assertSourceRunsAgain();
    }

    @Test
    void shouldKeepTheStateInStopWhenTheVirtualMachineDoesNotRunThere() throws Exception {
        destinationVm.resumeFailure = new IOException("no resume");
        OutgoingMigration migration = outgoing();
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> migration.run(receiving.address()));
            assertThat(e.reason()).isEqualTo(Reason.IN_DOUBT);
            receiving.failure();
        }
        assertThat(destination.state()).isEqualTo("STOP");
        assertThat(destinationEvents.notices).anyMatch(notice -> notice.contains("its state is held here"));
        assertThat(source.state()).isEqualTo("STOP_COPY");
        assertThat(sourceVm.calls).containsExactly("stop");
        assertThat(migration.cancel()).isFalse();

        migration.resolve(OutgoingMigration.Resolution.RESUME_SOURCE);

        assertSourceRunsAgain();
        assertThatThrownBy(() -> migration.resolve(OutgoingMigration.Resolution.KEEP_STOPPED))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void shouldStayCompletedWhenTheSourceCannotBeTakenToStop() throws Exception {
        source.failSet("STOP", Errno.EIO, "STOP_COPY").failSet("STOP", Errno.EIO, "STOP_COPY");
        try (Receiving receiving = new Receiving("tcp")) {
            outgoing().run(receiving.address());
            assertThat(receiving.failure()).isNull();
        }
        assertThat(sourceVm.calls).containsExactly("stop");
        assertThat(sourceEvents.notices).singleElement().asString().contains("it was reset instead");
    }

    @Test
    void shouldLeaveAPausedVirtualMachineAlone() throws Exception {
        source.in("STOP");
        destination.failSet("STOP", Errno.EINVAL, "RESUMING");
        try (Receiving receiving = new Receiving("tcp")) {
            failing(() -> outgoing().run(receiving.address()));
            receiving.failure();
        }
        assertThat(source.state()).isEqualTo("STOP");
        assertThat(sourceVm.calls).isEmpty();
    }

    @Test
    void shouldRefuseADeviceOfWhichNobodyKnowsWhatItIs() throws Exception {
        identity = DeviceIdentity.UNKNOWN;
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing().run(receiving.address()));
            assertThat(e.reason()).isEqualTo(Reason.REFUSED);
            assertThat(e).hasMessageContaining("nobody can tell whether they fit");
            receiving.failure();
        }
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(destination.state()).isEqualTo("STOP");
    }

    @Test
    void shouldLookAtTheTimeWithinALongRound() throws Exception {
        source.preCopyState = new byte[1 << 20];
        source.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 1L << 40);
            return 0;
        };
        MigrationParameters limits = parameters()
                .maxBytesPerSecond(1 << 20)
                .maxPreCopy(Duration.ofMillis(50))
                .build();
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> outgoing(limits).run(receiving.address()));
            assertThat(e.reason()).isEqualTo(Reason.NOT_CONVERGED);
            assertThat(e).hasMessageContaining("after round 1");
            receiving.failure();
        }
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.calls).isEmpty();
    }

    @Test
    void shouldShowThePeerThatItLivesWhileItPaces() throws Exception {
        source.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 64 << 10);
            return 0;
        };
        MigrationParameters slow = parameters()
                .chunkBytes(64 << 10)
                .maxBytesPerSecond(32 << 10)
                .maxRounds(1)
                .whenNotConverging(NotConverging.SWITCH_OVER)
                .build();
        peerLimit = Duration.ofMillis(1500);
        try (Receiving receiving = new Receiving("tcp")) {
            outgoing(slow).run(receiving.address());
            assertThat(receiving.failure()).isNull();
        }
        assertThat(destination.loaded).isEqualTo(wholeState());
    }

    @Test
    void shouldTryAgainWhenTheSourceDoesNotRunAtOnce() throws Exception {
        sourceVm.stopFailure = new IOException("no stop");
        source.failSet("RUNNING", Errno.EIO, "RUNNING_P2P");
        try (Receiving receiving = new Receiving("tcp")) {
            failing(() -> outgoing().run(receiving.address()));
            receiving.failure();
        }
        assertSourceRunsAgain();
        assertThat(sourceEvents.notices).isEmpty();
    }

    /** The pool's memory is there, that of a connection is not. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldLeaveNoConnectionOpenWhenMemoryRunsOut(int mappings) throws Exception {
        AtomicInteger left = new AtomicInteger(mappings);
        LibC poor = new ForwardingLibC() {
            @Override
            public long mmap(long length, int protection, int flags, int fd, long offset) {
                return left.getAndDecrement() > 0
                        ? super.mmap(length, protection, flags, fd, offset)
                        : Errno.ENOMEM.negated();
            }
        };
        MigrationParameters parameters = parameters().build();
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> new OutgoingMigration(
                            poor,
                            VfioDeviceHandler.inOrder(adopt(source, "source")),
                            sourceVm,
                            parameters,
                            SwitchoverPolicy.STANDARD,
                            sourceEvents)
                    .run(receiving.address()));

            assertThat(e).hasMessageContaining("ENOMEM");
            receiving.stop();
        }
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.calls).isEmpty();
    }

    @Test
    void shouldNotRunTheVirtualMachineWithADeviceThatDoesNotRun() throws Exception {
        sourceVm.stopFailure = new IOException("no stop");
        source.failSet("RUNNING", Errno.EIO, "RUNNING_P2P").failSet("RUNNING", Errno.EIO, "RUNNING_P2P");
        try (Receiving receiving = new Receiving("tcp")) {
            failing(() -> outgoing().run(receiving.address()));
            receiving.failure();
        }
        assertThat(source.state()).isEqualTo("RUNNING_P2P");
        assertThat(source.calls()).doesNotContain("RESET");
        assertThat(sourceVm.calls).containsExactly("stop");
        assertThat(sourceEvents.notices).hasSize(2).last().asString().contains("the virtual machine stays stopped");
    }

    @ParameterizedTest
    @EnumSource(Phase.class)
    void shouldNotMindAListenerThatThrows(Phase phase) throws Exception {
        sourceEvents.throwAt = phase;
        destinationEvents.throwAt = phase;
        try (Receiving receiving = new Receiving("tcp")) {
            outgoing().run(receiving.address());
            assertThat(receiving.failure()).isNull();
        }
        assertThat(source.state()).isEqualTo("STOP");
        assertThat(destination.state()).isEqualTo("RUNNING");
    }

    @ParameterizedTest
    @EnumSource(names = {"SETUP", "PRE_COPY", "STOP_COPY", "HANDOVER"})
    void shouldRunOnAtTheSourceWhenItIsCancelled(Phase phase) throws Exception {
        OutgoingMigration migration = outgoing();
        sourceEvents.at(phase, () -> assertThat(migration.cancel()).isTrue());
        try (Receiving receiving = new Receiving("tcp")) {
            MigrationException e = failing(() -> migration.run(receiving.address()));
            assertThat(e.reason()).isEqualTo(Reason.CANCELLED);
            receiving.stop();
        }
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.runs()).isTrue();
        assertThat(destinationVm.calls).isEmpty();
        assertThat(migration.cancel()).isFalse();
    }

    @ParameterizedTest
    @EnumSource(names = {"PRE_COPY", "STOP_COPY", "HANDOVER"})
    void shouldLeaveNoFileWhenSavingIsCancelled(Phase phase) throws Exception {
        OutgoingMigration migration = outgoing();
        sourceEvents.at(phase, migration::cancel);

        MigrationException e = failing(() -> migration.run(new TransportAddress.File(folder.resolve("state"))));

        assertThat(e.reason()).isEqualTo(Reason.CANCELLED);
        assertThat(folder).isEmptyDirectory();
        assertThat(source.state()).isEqualTo("RUNNING");
    }

    @ParameterizedTest
    @EnumSource(names = {"RECEIVING", "HANDOVER"})
    void shouldResetTheDestinationWhenItIsCancelledThere(Phase phase) throws Exception {
        try (Receiving receiving = new Receiving("tcp")) {
            destinationEvents.at(
                    phase, () -> assertThat(receiving.migration.cancel()).isTrue());
            failing(() -> outgoing().run(receiving.address()));
            assertThat(reasonOf(receiving.failure())).isEqualTo(Reason.CANCELLED);
        }
        assertThat(destination.calls()).contains("RESET");
        assertThat(destinationVm.calls).isEmpty();
        // By when the source hears of it, it may or may not have stopped its virtual machine.
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.runs()).isTrue();
    }

    @Test
    void shouldTouchNothingWhenItIsCancelledBeforeItRuns() {
        OutgoingMigration migration = outgoing();
        assertThat(migration.cancel()).isTrue();

        MigrationException e = failing(() -> migration.run(new TransportAddress.File(folder.resolve("state"))));

        assertThat(e.reason()).isEqualTo(Reason.CANCELLED);
        assertThat(folder).isEmptyDirectory();
        assertThatThrownBy(() -> migration.run(new TransportAddress.File(folder.resolve("state"))))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void shouldDetectAFileThatWasAlteredOrCutAnywhere() throws Exception {
        source.preCopyState = new byte[100];
        source.stopCopyState = new byte[100];
        Path file = folder.resolve("state");
        outgoing().run(new TransportAddress.File(file));
        byte[] whole = Files.readAllBytes(file);
        Random random = seed.random();
        for (int i = 0; i < 60; i++) {
            byte[] altered = whole.clone();
            if (i % 3 == 0) {
                altered = Arrays.copyOf(whole, random.nextInt(whole.length));
            } else if (i % 3 == 1) {
                altered[random.nextInt(whole.length)] ^= (byte) (1 << random.nextInt(8));
            } else {
                altered = Arrays.copyOf(whole, whole.length + 1);
            }
            Files.write(file, altered);
            destination.in("STOP");

            MigrationException e = failing(() -> incoming().run(new TransportAddress.File(file)));

            assertThat(e.reason()).as(seed.toString()).isIn(Reason.DAMAGED, Reason.PROTOCOL, Reason.TRANSPORT);
            assertThat(destinationVm.calls).isEmpty();
        }
    }

    @Test
    void shouldKeepASlowPaceCancellable() throws Exception {
        OutgoingMigration migration = outgoing(parameters().maxBytesPerSecond(1).build());
        sourceEvents.onProgress = migration::cancel;
        try (Receiving receiving = new Receiving("tcp")) {
            assertThat(failing(() -> migration.run(receiving.address())).reason())
                    .isEqualTo(Reason.CANCELLED);
            receiving.failure();
        }
        assertThat(source.state()).isEqualTo("RUNNING");
    }

    private void assertSourceRunsAgain() {
        assertThat(source.state()).isEqualTo("RUNNING");
        assertThat(sourceVm.calls).containsExactly("stop", "resume");
    }

    private byte[] wholeState() {
        byte[] whole = Arrays.copyOf(source.preCopyState, source.preCopyState.length + source.stopCopyState.length);
        System.arraycopy(source.stopCopyState, 0, whole, source.preCopyState.length, source.stopCopyState.length);
        return whole;
    }

    private MigrationParameters.Builder parameters() {
        return MigrationParameters.builder()
                .chunkBytes(1 << 16)
                .chunks(3)
                .overlap(overlap)
                .downtimeLimit(Duration.ofHours(1))
                .peerLimit(peerLimit)
                .acceptLimit(Duration.ofSeconds(60));
    }

    private OutgoingMigration outgoing() {
        return outgoing(parameters().build());
    }

    private OutgoingMigration outgoing(MigrationParameters parameters) {
        return new OutgoingMigration(
                libc,
                VfioDeviceHandler.inOrder(adopt(source, "source")),
                sourceVm,
                parameters,
                SwitchoverPolicy.STANDARD,
                sourceEvents);
    }

    private IncomingMigration incoming() {
        return new IncomingMigration(
                libc,
                VfioDeviceHandler.inOrder(adopt(destination, "destination")),
                destinationVm,
                parameters().build(),
                destinationEvents);
    }

    private VfioDevice adopt(ScriptedDevice device, String name) {
        try {
            return VfioDevice.adopt(libc, device.fd(), name, identity);
        } catch (VfioException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] randomBytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static @Nullable Reason reasonOf(@Nullable Throwable failure) {
        return failure instanceof MigrationException e ? e.reason() : null;
    }

    private static MigrationException failing(ThrowingCallable call) {
        MigrationException e = catchThrowableOfType(MigrationException.class, call);
        assertThat(e).isNotNull();
        return e;
    }

    /** The destination, on a thread of its own. */
    private final class Receiving implements AutoCloseable {
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        private final IncomingMigration migration = incoming();
        private final Thread thread;

        Receiving(String transport) {
            TransportAddress at = TransportAddress.parse(
                    transport.equals("unix") ? "unix:" + folder.resolve("socket") : "tcp:127.0.0.1:0");
            thread = Thread.ofPlatform().start(() -> {
                try {
                    migration.run(at);
                } catch (Throwable t) {
                    failure.set(t);
                    destinationEvents.listening.offer("failed");
                }
            });
        }

        TransportAddress address() throws InterruptedException {
            return TransportAddress.parse(destinationEvents.listening.take());
        }

        @Nullable
        Throwable failure() throws InterruptedException {
            thread.join();
            return failure.get();
        }

        void stop() throws InterruptedException {
            migration.cancel();
            thread.join();
        }

        @Override
        public void close() throws InterruptedException {
            stop();
        }
    }
}
