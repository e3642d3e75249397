// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The devices that a command can reach: this host's, and those that it emulates. Both kinds in one process.
 *
 * <p>Closing it frees the emulated devices.
 */
final class Devices implements AutoCloseable {
    private final EmulatedKernel kernel;
    private final VfioHost host;

    Devices(EmulatedKernel kernel, VfioHost host) {
        this.kernel = kernel;
        this.host = host;
    }

    /** The devices of the host that this process runs on, and a kernel for emulated ones. */
    static Devices system() {
        return new Devices(new EmulatedKernel(LibC.system(), System::nanoTime), VfioHost.system());
    }

    /** The system calls that the buffers of a migration come from. */
    LibC libc() {
        return host.libc();
    }

    List<VfioHost.ListedDevice> list() throws IOException {
        return host.devices();
    }

    Opened open(DeviceName name) throws IOException {
        return switch (name) {
            case DeviceName.Real real -> new Opened(name.toString(), host.open(real.address()), null);
            case DeviceName.Emulated emulated -> open(emulated.spec());
        };
    }

    private Opened open(EmulatedDeviceSpec spec) throws IOException {
        EmulatedDevice device = kernel.add(spec);
        return new Opened(spec.toString(), device.open(), device);
    }

    @Override
    public void close() {
        kernel.close();
    }

    /**
     * An open device.
     *
     * @param name as it was named
     * @param vfio the device
     * @param emulated its inside, where this process emulates it
     */
    record Opened(String name, VfioDevice vfio, @Nullable EmulatedDevice emulated) implements AutoCloseable {
        /** The digest of the state that it holds, in hexadecimal; null for a real device. */
        @Nullable
        String digest() {
            return emulated == null ? null : HexFormat.of().toHexDigits(emulated.digest());
        }

        /** The state that it is in, for a person. */
        String state() {
            try {
                return vfio.state().toString();
            } catch (IOException e) {
                return "unknown (" + Failure.message(e) + ")";
            }
        }

        @Override
        public void close() {
            vfio.close();
        }
    }
}
