// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
import java.io.IOException;

/**
 * The devices that a benchmark can name: emulated ones, and this host's. Closing it frees the emulated ones, after
 * those who opened devices have closed them.
 */
final class Devices implements AutoCloseable {
    private final EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);

    /** The system calls that buffers come from. */
    LibC libc() {
        return kernel;
    }

    /**
     * Opens a device, which the caller closes.
     *
     * @param name {@code emulated:…} as {@link EmulatedDeviceSpec#parse} reads it, or a {@link DeviceAddress}
     */
    VfioDevice open(String name) throws IOException {
        return EmulatedDeviceSpec.isSpec(name)
                ? kernel.add(EmulatedDeviceSpec.parse(name)).open()
                : VfioHost.system().open(DeviceAddress.parse(name));
    }

    /** Opens what a device can be migrated to: the device of that name, or one like an emulated source. */
    VfioDevice openDestination(String source, String name) throws IOException {
        if (!name.isEmpty()) {
            return open(name);
        }
        if (!EmulatedDeviceSpec.isSpec(source)) {
            throw new IllegalArgumentException(source + " needs a destination: name one by -p to=DEVICE");
        }
        return kernel.add(EmulatedDeviceSpec.parse(source).withDirtyRate(0)).open();
    }

    @Override
    public void close() {
        kernel.close();
    }
}
