// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.device.MigrationState;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Test devices of the same types at both sides, that do not change by themselves, and migrations between them. */
final class Sides implements AutoCloseable {
    static final long SIZE = 4 << 20;

    private static final long WAIT_SECONDS = 60;

    final Side source;
    final Side destination;
    SwitchoverPolicy policy = SwitchoverPolicy.STANDARD;

    /** A machine that is too busy is no reason to give up, so the downtime may be long. */
    final MigrationParameters.Builder parameters = MigrationParameters.builder()
            .chunks(4)
            .downtimeLimit(Duration.ofSeconds(10))
            .overlap(Overlap.OFF)
            .peerLimit(Duration.ofSeconds(20))
            .acceptLimit(Duration.ofSeconds(20));

    private final List<Testdev> opened = new ArrayList<>();
    private final TransportAddress socket;

    private @Nullable OutgoingMigration outgoing;
    private @Nullable IncomingMigration incoming;
    private @Nullable MigrationException sourceFailure;
    private @Nullable MigrationException destinationFailure;

    /**
     * Makes the devices.
     *
     * @param sourceSize how many bytes the source's hold; the destination's hold {@link #SIZE}
     */
    Sides(Path folder, long sourceSize, String... types) throws IOException {
        socket = new TransportAddress.Unix(folder.resolve("socket"));
        source = new Side(make(sourceSize, types));
        destination = new Side(make(SIZE, types));
        for (int i = 0; i < types.length; i++) {
            assertThat(source.devices.get(i).digestBefore).isNotEqualTo(destination.devices.get(i).digestBefore);
        }
    }

    private List<Testdev> make(long size, String... types) throws IOException {
        List<Testdev> made = new ArrayList<>();
        for (String type : types) {
            Testdev device = new Testdev(type, size);
            opened.add(device);
            made.add(device);
        }
        return made;
    }

    @Override
    public void close() throws IOException {
        for (Testdev each : opened) {
            each.close();
        }
    }

    OutgoingMigration outgoing() {
        return Objects.requireNonNull(outgoing, "nothing has been migrated yet");
    }

    IncomingMigration incoming() {
        return Objects.requireNonNull(incoming, "nothing has been migrated yet");
    }

    /** Migrates; returns null when a side failed. */
    @Nullable
    MigrationReport run() throws Exception {
        MigrationParameters given = parameters.build();
        destination.listening = new CompletableFuture<>();
        IncomingMigration in =
                new IncomingMigration(LibC.system(), destination.handlers(), destination, given, destination);
        OutgoingMigration out = newOutgoing(given);
        incoming = in;
        outgoing = out;
        sourceFailure = null;
        destinationFailure = null;
        MigrationReport report = null;
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<LoadReport> loading = executor.submit(() -> in.run(socket));
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
                in.cancel();
            }
        }
        source.assertActed();
        destination.assertActed();
        return report;
    }

    private OutgoingMigration newOutgoing(MigrationParameters given) {
        return new OutgoingMigration(LibC.system(), source.handlers(), source, given, policy, source);
    }

    /** Tries to, with nobody at the other side, and returns why the source failed. */
    MigrationException failAlone() {
        OutgoingMigration alone = newOutgoing(parameters.build());
        return catchThrowableOfType(MigrationException.class, () -> alone.run(socket));
    }

    /** Migrates, and fails unless all of it went well. */
    MigrationReport migrate() throws Exception {
        MigrationReport report = complete();
        assertThat(source.vmCalls).containsExactly("stop");
        assertThat(source.notices).isEmpty();
        return report;
    }

    /** Migrates, whatever the source had to do on the way. */
    MigrationReport complete() throws Exception {
        MigrationReport report = run();
        if (report == null || destinationFailure != null) {
            throw new AssertionError("the migration failed: " + sourceFailure + ", " + destinationFailure);
        }
        for (int i = 0; i < source.devices.size(); i++) {
            Testdev from = source.devices.get(i);
            Testdev to = destination.devices.get(i);
            assertThat(from.device.state()).isEqualTo(MigrationState.STOP);
            assertThat(to.device.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(to.digest()).isEqualTo(from.digest());
            assertThat(from.mdev.log()).doesNotContain("reset");
            assertThat(to.mdev.log()).doesNotContain("reset");
        }
        assertThat(destination.vmCalls).containsExactly("resume");
        assertThat(destination.notices).isEmpty();
        return report;
    }

    /** Tries to, and returns why the source failed. */
    MigrationException failAtSource() throws Exception {
        assertThat(run()).isNull();
        return sourceFailure();
    }

    /** Tries to, and returns why the destination failed. */
    MigrationException failAtDestination() throws Exception {
        assertThat(run()).isNull();
        return destinationFailure();
    }

    MigrationException sourceFailure() {
        return failure(sourceFailure);
    }

    MigrationException destinationFailure() {
        return failure(destinationFailure);
    }

    private MigrationException failure(@Nullable MigrationException of) {
        if (of == null) {
            throw new AssertionError("that side has not failed: " + sourceFailure + ", " + destinationFailure);
        }
        return of;
    }

    /** The source runs on as if nothing had been, and the destination's devices are as fresh ones are. */
    void assertTakenBack(boolean vmWasStopped) throws IOException {
        for (Testdev each : source.devices) {
            each.assertUntouched(MigrationState.RUNNING);
        }
        assertThat(source.vmCalls).isEqualTo(vmWasStopped ? List.of("stop", "resume") : List.of());
        assertThat(source.notices).isEmpty();
        for (Testdev each : destination.devices) {
            each.assertReset();
        }
        assertThat(destination.vmCalls).isEmpty();
        assertThat(destination.notices).isEmpty();
    }

    /** As {@link #assertTakenBack(boolean)}, where the machine may have been stopped by then, or not. */
    void assertTakenBack() throws IOException {
        assertThat(source.vmCalls).isIn(List.of(), List.of("stop", "resume"));
        assertTakenBack(!source.vmCalls.isEmpty());
    }

    /** The same devices can be migrated when the faults are taken away. */
    void assertMigratesNow() throws Exception {
        source.calmDown();
        destination.calmDown();
        policy = SwitchoverPolicy.STANDARD;
        migrate();
    }

    /** Fails unless this is a device's own failure, named. */
    static void assertNames(MigrationException failure, Testdev device, int errno) {
        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageContaining(device.name()).hasMessageContaining("(" + errno + ")");
    }

    /** Fails unless this is what the side without the failure says. */
    static void assertToldByPeer(MigrationException failure, Testdev failed, int errno) {
        assertThat(failure.reason()).isEqualTo(Reason.PEER_FAILED);
        assertThat(failure).hasMessageContaining(failed.name()).hasMessageContaining("(" + errno + ")");
    }
}
