// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Migrates small emulated devices within this process, so that the real migration loads, links and compiles nothing for
 * the first time in its downtime, and what it measures of the arcs before is not the class loader.
 *
 * <p>Once in a process is enough, some time before its first migration; either side profits.
 */
public final class Rehearsal {
    private static final EmulatedDeviceSpec DEVICE = EmulatedDeviceSpec.parse("emulated:size=4MiB,dirty=16MiB/s");

    /** The first loads the classes; in the others what the first has measured is not the class loader any more. */
    private static final int MIGRATIONS = 3;

    private static final Duration LIMIT = Duration.ofSeconds(5);
    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunks(2)
            .downtimeLimit(LIMIT)
            .maxPreCopy(LIMIT)
            .peerLimit(LIMIT)
            .acceptLimit(LIMIT)
            .build();

    private Rehearsal() {}

    /**
     * Migrates some times, which takes about a second at the start of a process and touches no device. What goes wrong
     * here goes wrong again, or not, in the real migration, which reports it. Any thread.
     */
    public static void run() {
        try {
            // Made for this user alone, so nobody else can connect.
            Path folder = Files.createTempDirectory("vfio4j-");
            try {
                for (int i = 0; i < MIGRATIONS; i++) {
                    migrate(new TransportAddress.Unix(folder.resolve("rehearsal")));
                }
            } finally {
                Files.deleteIfExists(folder);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException | ExecutionException | TimeoutException | RuntimeException e) {
            return;
        }
    }

    private static void migrate(TransportAddress.Unix address)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
                VfioDevice source = kernel.add(DEVICE).open();
                VfioDevice destination = kernel.add(DEVICE.withDirtyRate(0)).open()) {
            CompletableFuture<String> listening = new CompletableFuture<>();
            CompletableFuture<Void> ended = new CompletableFuture<>();
            IncomingMigration incoming = new IncomingMigration(
                    kernel,
                    VfioDeviceHandler.inOrder(destination),
                    VirtualMachine.NONE,
                    PARAMETERS,
                    new MigrationListener() {
                        @Override
                        public void onListening(String at) {
                            listening.complete(at);
                        }
                    });
            Thread.ofPlatform().name("vfio4j-rehearsal").daemon().start(() -> {
                try {
                    incoming.run(address);
                } catch (IOException | RuntimeException e) {
                    listening.completeExceptionally(e);
                } finally {
                    ended.complete(null);
                }
            });
            try {
                String at = listening.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
                new OutgoingMigration(
                                kernel,
                                VfioDeviceHandler.inOrder(source),
                                VirtualMachine.NONE,
                                PARAMETERS,
                                SwitchoverPolicy.STANDARD,
                                MigrationListener.NONE)
                        .run(TransportAddress.parse(at));
            } finally {
                incoming.cancel();
                ended.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            }
        }
    }
}
