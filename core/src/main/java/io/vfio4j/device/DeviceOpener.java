// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.device.DeviceAddress.Cdev;
import io.vfio4j.device.DeviceAddress.Grouped;
import io.vfio4j.device.DeviceAddress.OnBus;
import io.vfio4j.device.DeviceAddress.Sysfs;
import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuIoasAlloc;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.GroupFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioGroupStatus;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Opens devices by cdev and iommufd, or by group and container, and says clearly why it could not. */
final class DeviceOpener {
    private final VfioHost host;
    private final @Nullable DeviceIdentity known;

    /** Makes an opener that looks in sysfs for what a device is, unless it is known. */
    DeviceOpener(VfioHost host, @Nullable DeviceIdentity known) {
        this.host = host;
        this.known = known;
    }

    VfioDevice open(DeviceAddress address) throws VfioException {
        return switch (address) {
            case Cdev cdev -> openCdev(cdev, sysfsOfCdev(cdev));
            case Grouped grouped -> openGrouped(grouped, sysfsOfName(grouped.name()));
            case OnBus onBus ->
                openSysfs(
                        onBus.toString(),
                        host.sysfs()
                                .resolve("bus")
                                .resolve(onBus.bus())
                                .resolve("devices")
                                .resolve(onBus.name()));
            case Sysfs sysfs -> openSysfs(sysfs.toString(), sysfs.directory());
        };
    }

    /** Returns how a device of sysfs can be opened on this host, the best way first. */
    List<DeviceAddress> waysToOpen(Path directory) {
        List<DeviceAddress> ways = new ArrayList<>();
        Path cdevs = directory.resolve("vfio-dev");
        if (Files.isDirectory(cdevs) && Files.exists(hostPath(IommuFd.PATH))) {
            try (Stream<Path> entries = Files.list(cdevs)) {
                entries.map(VfioHost::fileName)
                        .map(Cdev::new)
                        .filter(cdev -> Files.exists(hostPath(cdev.toString())))
                        .forEach(ways::add);
            } catch (IOException e) {
                // The device went away while it was looked at; then the group below is gone, too.
                return ways;
            }
        }
        Path group = directory.resolve("iommu_group");
        // The group's node may be there for a sibling: since 6.1, a device that VFIO has shows a vfio-dev folder.
        boolean bound =
                Files.isDirectory(cdevs) || !Files.isDirectory(host.sysfs().resolve("class/vfio-dev"));
        if (bound && Files.exists(group)) {
            String number = DeviceIdentity.linkName(group);
            if (Files.exists(hostPath("/dev/vfio/" + number))) {
                ways.add(new Grouped(number, VfioHost.fileName(directory)));
            }
        }
        return ways;
    }

    private VfioDevice openSysfs(String name, Path folder) throws VfioException {
        Path directory;
        try {
            // The folder that a link leads to is the one that has the device's name.
            directory = folder.toRealPath();
        } catch (IOException e) {
            throw new VfioException(Problem.NO_SUCH_DEVICE, name, "no such device: " + folder + " does not exist");
        }
        List<DeviceAddress> ways = waysToOpen(directory);
        if (ways.isEmpty()) {
            throw new VfioException(
                    Problem.NOT_BOUND,
                    name,
                    "not bound to a VFIO driver (its driver is "
                            + DeviceIdentity.ofSysfs(directory).driver()
                            + "); bind it to the vfio driver of its vendor first");
        }
        return switch (ways.getFirst()) {
            case Cdev cdev -> openCdev(cdev, directory);
            case Grouped grouped -> openGrouped(grouped, directory);
            case DeviceAddress other -> throw new IllegalStateException("no way to open is a " + other);
        };
    }

    private VfioDevice openCdev(Cdev address, @Nullable Path sysfs) throws VfioException {
        String name = address.toString();
        try (Fds fds = new Fds(host.libc(), name)) {
            DeviceFd device = new DeviceFd(host.libc(), fds.open(hostPath(name)));
            IommuFd iommufd = new IommuFd(host.libc(), fds.open(hostPath(IommuFd.PATH)));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment bind = VfioDeviceBindIommufd.STRUCT.allocate(arena);
                VfioDeviceBindIommufd.ARGSZ.set(bind, VfioDeviceBindIommufd.SIZE_WITHOUT_TOKEN);
                VfioDeviceBindIommufd.IOMMUFD.set(bind, iommufd.fd());
                int bound = device.bindIommufd(bind);
                if (Errno.EINVAL.is(bound)) {
                    // What the kernel says of a second bind; nothing else is wrong with this argument.
                    throw new VfioException(
                            Problem.BUSY,
                            name,
                            "binding it to an iommufd failed: something else has bound it already; stop that first",
                            bound);
                }
                check(bound, name, "binding it to an iommufd failed");

                MemorySegment ioas = IommuIoasAlloc.STRUCT.allocate(arena);
                IommuIoasAlloc.SIZE.set(ioas, (int) IommuIoasAlloc.STRUCT.size());
                check(iommufd.ioasAlloc(ioas), name, "making an I/O address space failed");

                MemorySegment attach = VfioDeviceAttachIommufdPt.STRUCT.allocate(arena);
                VfioDeviceAttachIommufdPt.ARGSZ.set(attach, VfioDeviceAttachIommufdPt.SIZE_WITHOUT_PASID);
                VfioDeviceAttachIommufdPt.PT_ID.set(attach, IommuIoasAlloc.OUT_IOAS_ID.get(ioas));
                check(device.attachIommufdPt(attach), name, "attaching it to an I/O address space failed");
            }
            return fds.giveTo(device, identity(sysfs));
        }
    }

    private VfioDevice openGrouped(Grouped address, @Nullable Path sysfs) throws VfioException {
        String name = address.toString();
        try (Fds fds = new Fds(host.libc(), name)) {
            ContainerFd container = new ContainerFd(host.libc(), fds.open(hostPath(ContainerFd.PATH)));
            GroupFd group = new GroupFd(host.libc(), fds.open(hostPath("/dev/vfio/" + address.group())));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment status = VfioGroupStatus.STRUCT.allocate(arena);
                VfioGroupStatus.ARGSZ.set(status, (int) VfioGroupStatus.STRUCT.size());
                check(group.getStatus(status), name, "asking for the group's status failed");
                if ((VfioGroupStatus.FLAGS.get(status) & Vfio.VFIO_GROUP_FLAGS_VIABLE) == 0) {
                    throw new VfioException(
                            Problem.GROUP_NOT_VIABLE,
                            name,
                            "group " + address.group() + " is not viable: a device of "
                                    + host.sysfs().resolve("kernel/iommu_groups/" + address.group() + "/devices")
                                    + " is bound to a driver that is not VFIO's; unbind it");
                }
            }
            check(group.setContainer(container), name, "putting its group into a container failed");
            check(container.setIommu(Vfio.VFIO_TYPE1v2_IOMMU), name, "choosing the type1 IOMMU failed");
            int fd = group.getDeviceFd(address.name());
            if (Errno.ENODEV.is(fd) || Errno.ENOENT.is(fd)) {
                throw new VfioException(
                        Problem.NO_SUCH_DEVICE, name, "group " + address.group() + " has no such device", fd);
            }
            check(fd, name, "opening it through its group failed");
            fds.add(fd);
            return fds.giveTo(new DeviceFd(host.libc(), fd), identity(sysfs));
        }
    }

    private @Nullable Path sysfsOfCdev(Cdev cdev) {
        Path device =
                host.sysfs().resolve("class/vfio-dev").resolve(cdev.name()).resolve("device");
        return Files.exists(device) ? device : null;
    }

    private @Nullable Path sysfsOfName(String name) {
        for (String bus : List.of("pci", "mdev")) {
            Path device =
                    host.sysfs().resolve("bus").resolve(bus).resolve("devices").resolve(name);
            if (Files.exists(device)) {
                return device;
            }
        }
        return null;
    }

    private DeviceIdentity identity(@Nullable Path sysfs) {
        if (known != null) {
            return known;
        }
        return sysfs == null ? DeviceIdentity.UNKNOWN : DeviceIdentity.ofSysfs(sysfs);
    }

    private Path hostPath(String path) {
        return host.dev().resolve(path.substring("/dev/".length()));
    }

    private static void check(int result, String name, String message) throws VfioException {
        if (Errno.EBUSY.is(result)) {
            throw new VfioException(
                    Problem.BUSY,
                    name,
                    message + ": something else uses the device or its group; stop that first",
                    result);
        }
        if (Errno.EPERM.is(result) || Errno.EACCES.is(result)) {
            throw new VfioException(
                    Problem.NO_PERMISSION, name, message + ": run as root or with CAP_SYS_ADMIN", result);
        }
        if (result < 0) {
            throw new VfioException(Problem.FAILED, name, message, result);
        }
    }

    /** The fds opened so far: closed, the last one first, unless they were given to a device. */
    private static final class Fds implements AutoCloseable {
        private final LibC libc;
        private final String name;
        private Deque<Integer> opened = new ArrayDeque<>();

        Fds(LibC libc, String name) {
            this.libc = libc;
            this.name = name;
        }

        int open(Path path) throws VfioException {
            int fd = libc.open(path.toString(), LibC.O_RDWR | LibC.O_CLOEXEC);
            if (fd >= 0) {
                add(fd);
                return fd;
            }
            if (Errno.ENOENT.is(fd) || Errno.ENODEV.is(fd) || Errno.ENXIO.is(fd)) {
                throw new VfioException(Problem.NO_SUCH_DEVICE, name, "no such device: cannot open " + path, fd);
            }
            if (Errno.EACCES.is(fd) || Errno.EPERM.is(fd)) {
                throw new VfioException(
                        Problem.NO_PERMISSION, name, "may not open " + path + "; run as root or give access to it", fd);
            }
            if (Errno.EBUSY.is(fd)) {
                throw new VfioException(
                        Problem.BUSY, name, "something else has opened " + path + "; stop that first", fd);
            }
            throw new VfioException(Problem.FAILED, name, "cannot open " + path, fd);
        }

        void add(int fd) {
            opened.push(fd);
        }

        VfioDevice giveTo(DeviceFd device, DeviceIdentity identity) throws VfioException {
            VfioDevice made = new VfioDevice(device, name, identity, List.copyOf(opened));
            opened = new ArrayDeque<>();
            return made;
        }

        @Override
        public void close() {
            opened.forEach(libc::close);
        }
    }
}
