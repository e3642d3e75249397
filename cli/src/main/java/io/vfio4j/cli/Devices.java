// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.ByteSize;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The devices that a command can reach: this host's, and those that it emulates. Both kinds in one process.
 *
 * <p>Closing it frees the emulated devices.
 */
final class Devices implements AutoCloseable {
    private static final String EMULATOR = "vfio4j-emulator";

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
            case DeviceName.Real real ->
                new Opened(name.toString(), host.open(real.address()), null, List.of(), kernel);
            case DeviceName.Emulated emulated -> open(emulated.spec());
        };
    }

    /**
     * Makes a device and opens it. Not by way of {@link VfioHost}: that would look in sysfs for what it is, and a
     * device of one size would be taken for one of another.
     */
    private Opened open(EmulatedDeviceSpec spec) throws IOException {
        EmulatedDevice device = kernel.add(spec);
        List<Integer> fds = new ArrayList<>();
        boolean opened = false;
        try (Arena arena = Arena.ofConfined()) {
            DeviceFd fd = new DeviceFd(kernel, checked(kernel.open(device.cdevPath(), LibC.O_RDWR | LibC.O_CLOEXEC)));
            fds.addFirst(fd.fd());
            int iommufd = checked(kernel.open(IommuFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC));
            fds.addFirst(iommufd);
            MemorySegment bind = VfioDeviceBindIommufd.STRUCT.allocate(arena);
            VfioDeviceBindIommufd.ARGSZ.set(bind, VfioDeviceBindIommufd.SIZE_WITHOUT_TOKEN);
            VfioDeviceBindIommufd.IOMMUFD.set(bind, iommufd);
            checked(fd.bindIommufd(bind));
            DeviceIdentity identity =
                    new DeviceIdentity(EmulatedDeviceSpec.PREFIX + "size=" + ByteSize.format(spec.size()), EMULATOR);
            VfioDevice adopted = VfioDevice.adopt(kernel, fd.fd(), spec.toString(), identity);
            opened = true;
            return new Opened(spec.toString(), adopted, device, fds, kernel);
        } finally {
            if (!opened) {
                fds.forEach(kernel::close);
            }
        }
    }

    private static int checked(int result) throws IOException {
        if (result < 0) {
            throw new IOException("an emulated device cannot be opened: " + Errno.describe(result));
        }
        return result;
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
     * @param fds what was opened for it beside the device itself, the last one first
     * @param libc whose fds these are
     */
    record Opened(String name, VfioDevice vfio, @Nullable EmulatedDevice emulated, List<Integer> fds, LibC libc)
            implements AutoCloseable {
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
            fds.forEach(libc::close);
        }
    }
}
