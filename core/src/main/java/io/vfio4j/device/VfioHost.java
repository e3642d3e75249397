// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/**
 * Where devices are looked for and opened: the system calls, sysfs and devtmpfs of a host.
 *
 * <p>Immutable, for any thread. Tests give folders of their own and a {@link LibC} of their own.
 *
 * @param libc the system calls
 * @param sysfs where sysfs is mounted
 * @param dev where devtmpfs is mounted
 */
public record VfioHost(LibC libc, Path sysfs, Path dev) {
    private static final List<String> BUSES = List.of("pci", "mdev");

    /**
     * Returns the host that this process runs on.
     *
     * @return the host
     * @throws io.vfio4j.ffm.NativeAccessException where this JVM may not call native functions
     */
    public static VfioHost system() {
        return new VfioHost(LibC.system(), Path.of("/sys"), Path.of("/dev"));
    }

    /**
     * Opens a device; the caller closes it.
     *
     * @param address which one
     * @return the device, with an I/O address space of its own that is empty
     * @throws VfioException where there is no such device, it is not bound to a VFIO driver, something else uses it,
     *     this process may not open it, its group is not viable, or its driver cannot migrate it
     */
    public VfioDevice open(DeviceAddress address) throws VfioException {
        return new DeviceOpener(this, null).open(address);
    }

    /**
     * Opens a device of which the caller knows what it is; the caller closes it.
     *
     * @param address which one
     * @param identity what it is, taken as said instead of looked up in sysfs
     * @return as {@link #open(DeviceAddress)}
     * @throws VfioException as {@link #open(DeviceAddress)}
     */
    public VfioDevice open(DeviceAddress address, DeviceIdentity identity) throws VfioException {
        return new DeviceOpener(this, identity).open(address);
    }

    /**
     * Lists the devices of this host that are bound to a VFIO driver. Opens none.
     *
     * @return the devices, sorted by name; empty where there are none
     * @throws IOException when sysfs cannot be read
     */
    public List<ListedDevice> devices() throws IOException {
        List<ListedDevice> found = new ArrayList<>();
        DeviceOpener opener = new DeviceOpener(this, null);
        for (String bus : BUSES) {
            Path devices = sysfs.resolve("bus").resolve(bus).resolve("devices");
            if (!Files.isDirectory(devices)) {
                continue;
            }
            try (Stream<Path> entries = Files.list(devices)) {
                entries.forEach(directory -> {
                    List<DeviceAddress> ways = opener.waysToOpen(directory);
                    if (!ways.isEmpty()) {
                        found.add(new ListedDevice(fileName(directory), DeviceIdentity.ofSysfs(directory), ways));
                    }
                });
            }
        }
        Collections.sort(found);
        return List.copyOf(found);
    }

    static String fileName(Path path) {
        Path name = path.getFileName();
        return name == null ? path.toString() : name.toString();
    }

    /**
     * A device that {@link #devices()} found.
     *
     * @param name a PCI address or an mdev's UUID
     * @param identity its type and driver
     * @param ways how it can be opened, the best first
     */
    public record ListedDevice(String name, DeviceIdentity identity, List<DeviceAddress> ways)
            implements Comparable<ListedDevice> {
        @Override
        public int compareTo(ListedDevice other) {
            return name.compareTo(other.name);
        }
    }
}
