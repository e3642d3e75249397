// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationListener;
import java.io.IOException;
import java.time.Duration;

/**
 * Migrates a small emulated device within this process, so that the real migration loads and links nothing for the
 * first time in its downtime, and what it measures of the arcs before is not the class loader.
 */
final class Rehearsal {
    private static final EmulatedDeviceSpec DEVICE = EmulatedDeviceSpec.parse("emulated:size=4MiB,dirty=16MiB/s");
    private static final Duration LIMIT = Duration.ofSeconds(5);
    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunks(2)
            .downtimeLimit(LIMIT)
            .maxPreCopy(LIMIT)
            .peerLimit(LIMIT)
            .acceptLimit(LIMIT)
            .build();

    private Rehearsal() {}

    /** Migrates once. What goes wrong here goes wrong again, or not, in the real migration, which reports it. */
    static void run() {
        try (EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
                VfioDevice source = kernel.add(DEVICE).open();
                VfioDevice destination = kernel.add(DEVICE.withDirtyRate(0)).open();
                Meeting meeting = Meeting.of(MigrateCommand.Loopback.UNIX)) {
            LocalDestination in =
                    new LocalDestination(kernel, VfioDeviceHandler.inOrder(destination), PARAMETERS, notice -> {});
            in.start(meeting.address());
            try {
                new OutgoingMigration(
                                kernel,
                                VfioDeviceHandler.inOrder(source),
                                VirtualMachine.NONE,
                                PARAMETERS,
                                SwitchoverPolicy.STANDARD,
                                MigrationListener.NONE)
                        .run(in.awaitListening());
            } finally {
                in.cancel();
                in.awaitEnd(LIMIT);
            }
        } catch (IOException | RuntimeException e) {
            return;
        }
    }
}
