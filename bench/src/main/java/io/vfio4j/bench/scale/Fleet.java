// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.scale;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.emulator.Loopback;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Emulated devices that migrate together to as many others, over loopback TCP in this process. */
final class Fleet implements AutoCloseable {
    private final EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
    private final List<EmulatedDevice> loaded = new ArrayList<>();
    private final List<VfioDevice> sources = new ArrayList<>();
    private final List<VfioDevice> destinations = new ArrayList<>();
    private final Loopback loopback = new Loopback();

    /** Makes so many sources of one kind, and their destinations, which do not change. */
    Fleet(String spec, int count) throws IOException {
        EmulatedDeviceSpec parsed = EmulatedDeviceSpec.parse(spec);
        for (int i = 0; i < count; i++) {
            sources.add(kernel.add(parsed).open());
            EmulatedDevice destination = kernel.add(parsed.withDirtyRate(0));
            loaded.add(destination);
            destinations.add(destination.open());
        }
    }

    /** The destinations, to make them slow. */
    List<EmulatedDevice> destinations() {
        return loaded;
    }

    /** As the other one, with the same parameters at both sides. */
    MigrationReport migrate(MigrationParameters parameters) throws IOException {
        return migrate(parameters, parameters);
    }

    /** Migrates all once, and makes them ready for the next time. */
    MigrationReport migrate(MigrationParameters here, MigrationParameters there) throws IOException {
        return loopback.migrate(kernel, sources, destinations, here, there);
    }

    /** Gives up the migration that is under way, from another thread. */
    void cancel() {
        loopback.cancel();
    }

    @Override
    public void close() {
        loopback.close();
        sources.forEach(VfioDevice::close);
        destinations.forEach(VfioDevice::close);
        kernel.close();
    }
}
