// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.SwitchoverPolicy.Decision;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A real driver that fails on demand, at either side of a migration. */
@Tag("lab")
@ExtendWith(LeakCheck.class)
class TestdevFaultTest {
    private static final long WAIT_SECONDS = 60;
    private static final long SIZE = 4 << 20;
    private static final int EIO = 5;
    private static final int ENOMEM = 12;
    private static final int EINVAL = 22;

    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunks(4)
            .overlap(Overlap.OFF)
            .peerLimit(Duration.ofSeconds(20))
            .acceptLimit(Duration.ofSeconds(20))
            .build();

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @TempDir
    private Path folder = Path.of("");

    @AfterEach
    void takeAway() throws Exception {
        for (AutoCloseable each : opened) {
            each.close();
        }
    }

    /** Something to do at a moment of the migration, on its own thread. */
    private interface Action {
        void run() throws IOException;

        default void runUnchecked() {
            try {
                run();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** One end of a migration: a device, its virtual machine and what it hears. */
    private static final class End implements VirtualMachine, MigrationListener {
        final Mdev mdev;
        final VfioDevice device;
        final String digestBefore;
        final List<String> vmCalls = new ArrayList<>();
        final List<String> notices = new ArrayList<>();
        CompletableFuture<String> listening = new CompletableFuture<>();
        Phase when = Phase.SETUP;
        Action action = () -> {};

        End(Mdev mdev) throws IOException {
            this.mdev = mdev;
            this.device = VfioHost.system().open(mdev.cdev());
            this.digestBefore = mdev.attribute("digest");
        }

        void on(Phase phase, Action does) {
            when = phase;
            action = does;
        }

        String digest() throws IOException {
            return mdev.attribute("digest");
        }

        @Override
        public void stop() {
            vmCalls.add("stop");
        }

        @Override
        public void resume() {
            vmCalls.add("resume");
        }

        @Override
        public void onListening(String address) {
            listening.complete(address);
        }

        @Override
        public void onPhase(Phase phase) {
            if (phase == when) {
                action.runUnchecked();
            }
        }

        @Override
        public void onNotice(String text) {
            notices.add(text);
        }
    }

    /** Two devices of one type, of 4 MiB that do not change, and a migration between them. */
    private final class Pair {
        final End source;
        final End destination;
        SwitchoverPolicy policy = SwitchoverPolicy.STANDARD;

        @Nullable
        OutgoingMigration outgoing;

        @Nullable
        MigrationException sourceFailure;

        @Nullable
        MigrationException destinationFailure;

        Pair(String type) throws IOException {
            this(type, SIZE);
        }

        Pair(String type, long sourceSize) throws IOException {
            source = make(type, sourceSize);
            destination = make(type, SIZE);
            assertThat(source.digestBefore).isNotEqualTo(destination.digestBefore);
        }

        private End make(String type, long size) throws IOException {
            Mdev mdev = new Mdev("vfio4j_testdev-" + type);
            opened.push(mdev);
            mdev.attribute("size", Long.toString(size));
            End end = new End(mdev);
            opened.push(end.device);
            return end;
        }

        /** Migrates; returns null when a side failed. */
        @Nullable
        MigrationReport run() throws Exception {
            TransportAddress socket = new TransportAddress.Unix(folder.resolve("socket"));
            destination.listening = new CompletableFuture<>();
            IncomingMigration incoming = new IncomingMigration(
                    LibC.system(), VfioDeviceHandler.inOrder(destination.device), destination, PARAMETERS, destination);
            OutgoingMigration out = new OutgoingMigration(
                    LibC.system(), VfioDeviceHandler.inOrder(source.device), source, PARAMETERS, policy, source);
            outgoing = out;
            MigrationReport report = null;
            try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
                Future<LoadReport> loading = executor.submit(() -> incoming.run(socket));
                destination.listening.get(WAIT_SECONDS, TimeUnit.SECONDS);
                try {
                    report = out.run(socket);
                } catch (MigrationException e) {
                    sourceFailure = e;
                }
                try {
                    LoadReport loaded = loading.get(WAIT_SECONDS, TimeUnit.SECONDS);
                    if (report != null) {
                        assertThat(loaded.bytes()).isEqualTo(report.totalBytes());
                    }
                } catch (ExecutionException e) {
                    assertThat(e).hasCauseInstanceOf(MigrationException.class);
                    destinationFailure = (MigrationException) e.getCause();
                } finally {
                    incoming.cancel();
                }
            }
            return report;
        }

        MigrationReport migrate() throws Exception {
            MigrationReport report = run();
            if (report == null || destinationFailure != null) {
                throw new AssertionError("the migration failed: " + sourceFailure + ", " + destinationFailure);
            }
            assertThat(source.device.state()).isEqualTo(MigrationState.STOP);
            assertThat(destination.device.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(destination.digest()).isEqualTo(source.digest());
            assertThat(source.vmCalls).containsExactly("stop");
            assertThat(destination.vmCalls).containsExactly("resume");
            assertThat(source.notices).isEmpty();
            assertThat(destination.notices).isEmpty();
            assertThat(source.mdev.log()).doesNotContain("reset");
            assertThat(destination.mdev.log()).doesNotContain("reset");
            return report;
        }

        MigrationException failAtSource() throws Exception {
            assertThat(run()).isNull();
            return failure(sourceFailure);
        }

        MigrationException failAtDestination() throws Exception {
            assertThat(run()).isNull();
            return failure(destinationFailure);
        }

        MigrationException failure(@Nullable MigrationException of) {
            if (of == null) {
                throw new AssertionError("that side has not failed: " + sourceFailure + ", " + destinationFailure);
            }
            return of;
        }

        /** The source runs on as if nothing had been, and the destination is as a fresh device is. */
        void assertTakenBack(boolean vmWasStopped) throws IOException {
            assertThat(source.device.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(source.digest()).isEqualTo(source.digestBefore);
            assertThat(source.mdev.log()).doesNotContain("reset");
            assertThat(source.vmCalls).isEqualTo(vmWasStopped ? List.of("stop", "resume") : List.of());
            assertThat(source.notices).isEmpty();
            assertThat(destination.device.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(destination.mdev.log()).contains("reset");
            assertThat(destination.vmCalls).isEmpty();
            assertThat(destination.notices).isEmpty();
        }

        /** The same devices can be migrated when the faults are taken away. */
        void assertMigratesNow() throws Exception {
            for (End end : List.of(source, destination)) {
                end.mdev.attribute("clear_faults", "1");
                end.mdev.attribute("log", "clear");
                end.vmCalls.clear();
                end.notices.clear();
                end.action = () -> {};
            }
            policy = SwitchoverPolicy.STANDARD;
            sourceFailure = null;
            destinationFailure = null;
            migrate();
        }
    }

    private static void assertNames(MigrationException failure, End end, int errno) {
        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageContaining(end.device.name()).hasMessageContaining("(" + errno + ")");
    }

    private static void assertToldByPeer(MigrationException failure, End failed, int errno) {
        assertThat(failure.reason()).isEqualTo(Reason.PEER_FAILED);
        assertThat(failure).hasMessageContaining(failed.device.name()).hasMessageContaining("(" + errno + ")");
    }

    // ---- at the source ----

    @ParameterizedTest
    @CsvSource({
        "full, RUNNING PRE_COPY, false",
        "full, PRE_COPY PRE_COPY_P2P, true",
        "full, PRE_COPY_P2P STOP_COPY, true",
        "nop2p, RUNNING PRE_COPY, false",
        "nop2p, PRE_COPY STOP_COPY, true",
        "noprecopy, RUNNING RUNNING_P2P, true",
        "noprecopy, STOP STOP_COPY, true",
        "minimal, STOP STOP_COPY, true",
    })
    void shouldRunOnAtTheSourceWhenAnArcFailsThere(String type, String arc, boolean vmWasStopped) throws Exception {
        assertRunsOnWhenAnArcFails(type, arc, "", vmWasStopped);
    }

    @ParameterizedTest
    @CsvSource({"noprecopy, RUNNING_P2P STOP", "minimal, RUNNING STOP"})
    void shouldRunOnAtTheSourceWhenItCannotBeStoppedAtOnce(String type, String arc) throws Exception {
        assertRunsOnWhenAnArcFails(type, arc, " 1", true);
    }

    @ParameterizedTest
    @CsvSource({"noprecopy, RUNNING_P2P STOP", "minimal, RUNNING STOP"})
    void shouldRunOnAtTheSourceWhenItCannotBeStoppedAtAll(String type, String arc) throws Exception {
        assertRunsOnWhenAnArcFails(type, arc, "", true);
    }

    private void assertRunsOnWhenAnArcFails(String type, String arc, String count, boolean vmWasStopped)
            throws Exception {
        Pair pair = new Pair(type);
        pair.source.mdev.attribute("fail_arc", arc + " 5" + count);

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source, EIO);
        assertToldByPeer(pair.failure(pair.destinationFailure), pair.source, EIO);
        assertThat(pair.source.mdev.log()).contains("fail_arc " + arc + " 5");
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    @ParameterizedTest
    @CsvSource({"RUNNING PRE_COPY, false", "PRE_COPY PRE_COPY_P2P, true", "PRE_COPY_P2P STOP_COPY, true"})
    void shouldSayThatTheStateIsLostWhenAnArcLeadsTheSourceToError(String arc, boolean vmWasStopped) throws Exception {
        Pair pair = new Pair("full");
        pair.source.mdev.attribute("fail_arc", arc + " 5 1 error");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source, EIO);
        assertThat(pair.source.notices).singleElement().asString().contains("had to be reset");
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.mdev.log()).containsOnlyOnce("reset");
        assertThat(pair.source.vmCalls).isEqualTo(vmWasStopped ? List.of("stop", "resume") : List.of());
        assertThat(pair.destination.device.state()).isEqualTo(MigrationState.RUNNING);
        pair.assertMigratesNow();
    }

    @Test
    void shouldTellBothErrorsWhenTheSourceCannotBeResetEither() throws Exception {
        Pair pair = new Pair("full");
        pair.source.mdev.attribute("fail_arc", "PRE_COPY_P2P STOP_COPY 5 1 error");
        pair.source.mdev.attribute("fail_reset", "16");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source, EIO);
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.ERROR);
        assertThat(pair.source.mdev.log()).contains("fail_reset 16");
        assertThat(failure.getSuppressed()).isNotEmpty();
        assertThat(pair.source.vmCalls).containsExactly("stop");
        assertThat(pair.source.notices).isNotEmpty();
        assertThat(pair.destination.device.state()).isEqualTo(MigrationState.RUNNING);

        pair.source.mdev.attribute("clear_faults", "1");
        pair.source.device.reset();
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.RUNNING);
    }

    /** In pre-copy all goes but the end of the stream: the last 40 bytes are read when the device is stopped. */
    @ParameterizedTest
    @CsvSource({
        "full, 0, false",
        "full, 24, false",
        "full, 1500000, false",
        "minimal, 0, true",
        "minimal, 1500000, true"
    })
    void shouldRunOnAtTheSourceWhenReadingFails(String type, long offset, boolean vmWasStopped) throws Exception {
        Pair pair = new Pair(type);
        pair.source.mdev.attribute("fail_read", offset + " 5");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source, EIO);
        assertToldByPeer(pair.failure(pair.destinationFailure), pair.source, EIO);
        assertThat(pair.source.mdev.log()).contains("fail_read " + offset + " 5");
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    @Test
    void shouldRunOnAtTheSourceWhenReadingTheLastBytesFails() throws Exception {
        Pair pair = new Pair("full");
        long last = pair.source.device.stopCopyLength() - 1;
        pair.source.mdev.attribute("fail_read", last + " 5");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source, EIO);
        assertThat(pair.source.mdev.log()).contains("fail_read " + last + " 5");
        pair.assertTakenBack(true);
        pair.assertMigratesNow();
    }

    @Test
    void shouldSayThatTheSessionEndedWhenTheSourceIsResetMeanwhile() throws Exception {
        Pair pair = new Pair("full");
        pair.policy = (forecast, limits) -> {
            try {
                pair.source.device.reset();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return Decision.CONTINUE;
        };

        MigrationException failure = pair.failAtSource();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure)
                .hasMessageContaining(pair.source.device.name())
                .hasMessageContaining("the device was reset");
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.mdev.log()).containsOnlyOnce("reset");
        assertThat(pair.source.vmCalls).isEmpty();
        assertThat(pair.destination.device.state()).isEqualTo(MigrationState.RUNNING);
        pair.assertMigratesNow();
    }

    @Test
    void shouldGiveUpWhenTheSourceCannotTellHowMuchIsLeft() throws Exception {
        Pair pair = new Pair("full");
        pair.source.mdev.attribute("data_size_errno", "5");
        MigrationLimits given = MigrationParameters.builder()
                .maxRounds(3)
                .whenNotConverging(NotConverging.GIVE_UP)
                .build()
                .limits();
        pair.policy = (forecast, limits) -> SwitchoverPolicy.STANDARD.decide(forecast, given);

        MigrationException failure = pair.failAtSource();

        assertThat(failure.reason()).isEqualTo(Reason.NOT_CONVERGED);
        pair.assertTakenBack(false);
        pair.assertMigratesNow();
    }

    @Test
    void shouldSayThatTheMigrationIsCompleteWhenOnlyTheSourcesLastArcFails() throws Exception {
        Pair pair = new Pair("full");
        pair.source.mdev.attribute("fail_arc", "STOP_COPY STOP 5 1");

        assertThat(pair.run()).isNotNull();

        assertThat(pair.source.device.state()).isEqualTo(MigrationState.STOP);
        assertThat(pair.source.notices)
                .singleElement()
                .asString()
                .contains("complete")
                .contains("EIO (5)");
        assertThat(pair.source.vmCalls).containsExactly("stop");
        assertThat(pair.destination.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.destination.digest()).isEqualTo(pair.source.digestBefore);
    }

    // ---- at the destination ----

    @ParameterizedTest
    @CsvSource({
        "full, RUNNING RUNNING_P2P, false",
        "full, RUNNING_P2P STOP, false",
        "full, STOP RESUMING, false",
        "full, RESUMING STOP, true",
        "nop2p, RUNNING STOP, false",
        "nop2p, RESUMING STOP, true",
        "minimal, STOP RESUMING, false",
        "minimal, RESUMING STOP, true",
    })
    void shouldRunOnAtTheSourceWhenAnArcFailsAtTheDestination(String type, String arc, boolean vmWasStopped)
            throws Exception {
        Pair pair = new Pair(type);
        pair.destination.mdev.attribute("fail_arc", arc + " 12");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, ENOMEM);
        assertToldByPeer(pair.failure(pair.sourceFailure), pair.destination, ENOMEM);
        assertThat(pair.destination.mdev.log()).contains("fail_arc " + arc + " 12");
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    @ParameterizedTest
    @CsvSource({"STOP RESUMING, false", "RESUMING STOP, true"})
    void shouldResetTheDestinationWhenAnArcLeadsItToError(String arc, boolean vmWasStopped) throws Exception {
        Pair pair = new Pair("full");
        pair.destination.mdev.attribute("fail_arc", arc + " 12 1 error");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, ENOMEM);
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    /** Set when all is loaded, because the arcs back to RUNNING are tried before that, too. */
    @ParameterizedTest
    @CsvSource({"STOP RUNNING_P2P", "RUNNING_P2P RUNNING"})
    void shouldLeaveItInDoubtWhenTheDestinationDoesNotRunAfterCommit(String arc) throws Exception {
        Pair pair = new Pair("full");
        pair.destination.on(Phase.HANDOVER, () -> pair.destination.mdev.attribute("fail_arc", arc + " 5"));

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, EIO);
        assertThat(pair.destination.device.state()).isEqualTo(MigrationState.STOP);
        assertThat(pair.destination.digest()).isEqualTo(pair.source.digestBefore);
        assertThat(pair.destination.mdev.log()).doesNotContain("reset");
        assertThat(pair.destination.vmCalls).isEmpty();
        assertThat(pair.destination.notices).isNotEmpty();
        assertThat(pair.failure(pair.sourceFailure).reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(pair.sourceFailure).hasMessageContaining(pair.destination.device.name());
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.STOP_COPY);
        assertThat(pair.source.vmCalls).containsExactly("stop");

        OutgoingMigration outgoing = pair.outgoing;
        assertThat(outgoing).isNotNull();
        if (outgoing != null) {
            outgoing.resolve(Resolution.RESUME_SOURCE);
        }
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.digest()).isEqualTo(pair.source.digestBefore);
        assertThat(pair.source.vmCalls).containsExactly("stop", "resume");
    }

    /** A small state is on its way before the source hears of the failure, so its machine may be stopped by then. */
    @ParameterizedTest
    @CsvSource({"full, 0", "full, 24", "full, 1500000", "full, 4000000", "minimal, 0", "minimal, 1500000"})
    void shouldRunOnAtTheSourceWhenWritingFailsAtTheDestination(String type, long offset) throws Exception {
        Pair pair = new Pair(type);
        pair.destination.mdev.attribute("fail_write", offset + " 12");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, ENOMEM);
        assertToldByPeer(pair.failure(pair.sourceFailure), pair.destination, ENOMEM);
        assertThat(pair.destination.mdev.log()).contains("fail_write " + offset + " 12");
        assertThat(pair.source.vmCalls).isIn(List.of(), List.of("stop", "resume"));
        pair.assertTakenBack(!pair.source.vmCalls.isEmpty());
        pair.assertMigratesNow();
    }

    @Test
    void shouldRunOnAtTheSourceWhenWritingTheLastBytesFailsAtTheDestination() throws Exception {
        Pair pair = new Pair("full");
        long last = pair.source.device.stopCopyLength() - 1;
        pair.destination.mdev.attribute("fail_write", last + " 12");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, ENOMEM);
        assertToldByPeer(pair.failure(pair.sourceFailure), pair.destination, ENOMEM);
        pair.assertTakenBack(true);
        pair.assertMigratesNow();
    }

    @Test
    void shouldSayThatTheDestinationCouldNotBeReset() throws Exception {
        Pair pair = new Pair("full");
        pair.destination.mdev.attribute("fail_write", "1500000 12");
        pair.destination.mdev.attribute("fail_reset", "16");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, ENOMEM);
        assertThat(failure.getSuppressed())
                .anySatisfy(suppressed -> assertThat(suppressed).hasMessageContaining("(16)"));
        assertThat(pair.destination.notices)
                .anySatisfy(notice -> assertThat(notice).contains("resetting it failed"));
        // What must not be: a device that runs with half a state.
        assertThat(pair.destination.device.state()).isEqualTo(MigrationState.RESUMING);
        assertThat(pair.source.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.digest()).isEqualTo(pair.source.digestBefore);

        pair.destination.mdev.attribute("clear_faults", "1");
        pair.destination.device.reset();
        pair.assertMigratesNow();
    }

    @Test
    void shouldRunOnAtTheSourceWhenTheDestinationIsResetMeanwhile() throws Exception {
        Pair pair = new Pair("full");
        pair.destination.on(Phase.RECEIVING, pair.destination.device::reset);

        MigrationException failure = pair.failAtDestination();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure)
                .hasMessageContaining(pair.destination.device.name())
                .hasMessageContaining("the device was reset");
        assertThat(pair.failure(pair.sourceFailure).reason()).isEqualTo(Reason.PEER_FAILED);
        assertThat(pair.source.vmCalls).isIn(List.of(), List.of("stop", "resume"));
        pair.assertTakenBack(!pair.source.vmCalls.isEmpty());
        pair.assertMigratesNow();
    }

    // ---- what is no failure ----

    @ParameterizedTest
    @CsvSource({
        "full, short_read, 4093",
        "full, short_read, 65536",
        "full, delay_read, 500",
        "full, drained, zero",
        "full, initial_bytes, 1048576",
        "nop2p, short_read, 4093",
        "noprecopy, short_read, 4093",
        "minimal, short_read, 4093",
        "minimal, delay_arc, STOP STOP_COPY 30",
        "full, delay_arc, RUNNING PRE_COPY 30",
        "full, delay_arc, PRE_COPY PRE_COPY_P2P 30",
        "full, delay_arc, PRE_COPY_P2P STOP_COPY 30",
        "full, delay_arc, STOP_COPY STOP 30",
    })
    void shouldMigrateWhenTheSourceIsPeculiar(String type, String attribute, String value) throws Exception {
        Pair pair = new Pair(type);
        pair.source.mdev.attribute(attribute, value);

        pair.migrate();

        assertThat(pair.source.digest()).isEqualTo(pair.source.digestBefore);
    }

    @ParameterizedTest
    @CsvSource({
        "full, short_write, 4093",
        "full, short_write, 65536",
        "full, delay_write, 500",
        "nop2p, short_write, 4093",
        "noprecopy, short_write, 4093",
        "minimal, short_write, 4093",
        "full, delay_arc, STOP RESUMING 30",
        "full, delay_arc, RESUMING STOP 30",
        "full, delay_arc, STOP RUNNING_P2P 30",
        "full, delay_arc, RUNNING_P2P RUNNING 30",
        "minimal, delay_arc, STOP RUNNING 30",
    })
    void shouldMigrateWhenTheDestinationIsPeculiar(String type, String attribute, String value) throws Exception {
        Pair pair = new Pair(type);
        pair.destination.mdev.attribute(attribute, value);

        pair.migrate();

        assertThat(pair.source.digest()).isEqualTo(pair.source.digestBefore);
    }

    @Test
    void shouldMigrateWhenTheSourceCannotTellHowMuchIsLeftAndTheCallerWantsItAnyway() throws Exception {
        Pair pair = new Pair("full");
        pair.source.mdev.attribute("data_size_errno", "5");
        MigrationLimits given = MigrationParameters.builder()
                .maxRounds(3)
                .whenNotConverging(NotConverging.SWITCH_OVER)
                .build()
                .limits();
        pair.policy = (forecast, limits) -> SwitchoverPolicy.STANDARD.decide(forecast, given);

        assertThat(pair.migrate().rounds()).isEqualTo(3);
    }

    @Test
    void shouldSendWhatBecomesInitialAnewWhenTheDeviceStartsOver() throws Exception {
        long anew = 128 << 10;
        Pair pair = new Pair("full");
        AtomicInteger decisions = new AtomicInteger();
        List<Long> outstanding = new ArrayList<>();
        pair.policy = (forecast, limits) -> {
            outstanding.add(forecast.requiredBytes());
            if (decisions.getAndIncrement() == 0) {
                try {
                    pair.source.mdev.attribute("reinit", Long.toString(anew));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
                return Decision.CONTINUE;
            }
            return forecast.requiredBytes() == 0 ? Decision.SWITCH_OVER : Decision.CONTINUE;
        };

        MigrationReport report = pair.migrate();

        assertThat(pair.source.mdev.log()).contains("reinit " + anew);
        assertThat(pair.source.digest()).isNotEqualTo(pair.source.digestBefore);
        assertThat(outstanding).hasSizeGreaterThan(1).last().isEqualTo(0L);
        assertThat(report.preCopyBytes()).isGreaterThan(SIZE + anew);
    }

    @Test
    void shouldRunOnAtTheSourceWhenTheDestinationRefusesAStateOfAnotherSize() throws Exception {
        Pair pair = new Pair("full", 8 << 20);

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination, EINVAL);
        assertToldByPeer(pair.failure(pair.sourceFailure), pair.destination, EINVAL);
        assertThat(pair.source.vmCalls).isIn(List.of(), List.of("stop", "resume"));
        pair.assertTakenBack(!pair.source.vmCalls.isEmpty());
    }
}
