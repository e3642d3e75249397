// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

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
        } catch (IOException | RuntimeException e) {
            return;
        }
    }

    private static void migrate(TransportAddress.Unix address) throws IOException {
        try (EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
                VfioDevice source = kernel.add(DEVICE).open();
                VfioDevice destination = kernel.add(DEVICE.withDirtyRate(0)).open();
                Loopback loopback = new Loopback(address)) {
            loopback.migrate(kernel, List.of(source), List.of(destination), PARAMETERS, PARAMETERS);
        }
    }
}
