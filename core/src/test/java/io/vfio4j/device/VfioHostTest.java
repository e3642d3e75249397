// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.iommufd.IommuIoasAlloc;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioGroupStatus;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Opens devices on a host of folders and scripted ioctls. */
@ExtendWith(LeakCheck.class)
class VfioHostTest {
    private static final String PCI = "0000:3b:00.1";
    private static final String MDEV = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
    private static final int IOAS = 7;

    @TempDir
    private Path root;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final List<String> steps = new ArrayList<>();
    private ScriptedDevice device;
    private VfioHost host;
    private Path pci;

    private int bindResult;
    private int attachResult;
    private int groupFlags = Vfio.VFIO_GROUP_FLAGS_VIABLE;
    private int setContainerResult;
    private int setIommuResult;
    private int getDeviceFdResult;

    @BeforeEach
    void makeHost() throws IOException {
        device = new ScriptedDevice(libc);
        host = new VfioHost(libc, root.resolve("sys"), root.resolve("dev"));
        pci = folder("sys/devices/pci0000:3a/" + PCI);
        write(pci, "vendor", "0x15b3");
        write(pci, "device", "0x101e");
        write(pci, "subsystem_vendor", "0x15b3");
        write(pci, "subsystem_device", "0x0058");
        Files.createSymbolicLink(pci.resolve("driver"), folder("sys/bus/pci/drivers/mlx5_vfio_pci"));
        Files.createSymbolicLink(folder("sys/bus/pci/devices").resolve(PCI), pci);
    }

    @AfterEach
    void closeDevice() {
        device.close();
    }

    @Test
    void shouldOpenTheCdevFirstWhenBothWaysExist() throws IOException {
        offerCdev();
        offerGroup(pci);

        try (VfioDevice opened = host.open(DeviceAddress.parse(PCI))) {
            assertThat(opened.name()).isEqualTo("/dev/vfio/devices/vfio3");
            assertThat(opened.identity()).isEqualTo(new DeviceIdentity("pci:15b3:101e:15b3:0058", "mlx5_vfio_pci"));
            assertThat(opened.features().flags()).isEqualTo(ScriptedDevice.ALL);
        }

        assertThat(libc.opened()).containsExactly(dev("vfio/devices/vfio3"), dev("iommu"));
        assertThat(steps).containsExactly("bind", "ioas", "attach " + IOAS);
    }

    @Test
    void shouldOpenTheGroupWhenThereIsNoIommufd() throws IOException {
        offerCdev();
        Files.delete(host.dev().resolve("iommu"));
        offerGroup(pci);

        try (VfioDevice opened = host.open(DeviceAddress.parse(PCI))) {
            assertThat(opened.name()).isEqualTo("/dev/vfio/42/" + PCI);
            assertThat(opened.identity().driver()).isEqualTo("mlx5_vfio_pci");
        }

        assertThat(libc.opened()).containsExactly(dev("vfio/vfio"), dev("vfio/42"));
        assertThat(steps).containsExactly("status", "container", "iommu 3", "device " + PCI);
    }

    @Test
    void shouldOpenAnMdevByUuidThroughItsGroup() throws IOException {
        Path mdev = folder("sys/devices/virtual/mtty/" + MDEV);
        Files.createSymbolicLink(
                mdev.resolve("mdev_type"), folder("sys/devices/virtual/mtty/mdev_supported_types/mtty-2"));
        Files.createSymbolicLink(mdev.resolve("driver"), folder("sys/bus/mdev/drivers/vfio_mtty"));
        Files.createSymbolicLink(folder("sys/bus/mdev/devices").resolve(MDEV), mdev);
        offerGroup(mdev);

        try (VfioDevice opened = host.open(DeviceAddress.parse(MDEV))) {
            assertThat(opened.identity()).isEqualTo(new DeviceIdentity("mdev:mtty-2", "vfio_mtty"));
        }

        assertThat(steps).contains("device " + MDEV);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldCloseTheLastOpenedFirstWhenTheDeviceIsClosed(boolean cdev) throws IOException {
        if (cdev) {
            offerCdev();
        } else {
            offerGroup(pci);
        }
        VfioDevice opened = host.open(DeviceAddress.parse(PCI));
        assertThat(libc.closed()).isEmpty();

        opened.close();
        opened.close();

        List<Integer> expected = new ArrayList<>(libc.openedFds().reversed());
        assertThat(libc.closed()).containsSubsequence(expected).hasSize(cdev ? 2 : 3);
    }

    @Test
    void shouldLeaveTheFdOpenWhenAnAdoptedDeviceIsClosed() throws VfioException {
        VfioDevice.adopt(libc, device.fd(), "adopted", DeviceIdentity.UNKNOWN).close();

        assertThat(libc.closed()).isEmpty();
        assertThat(libc.dup(device.fd())).isNotNegative().satisfies(libc::close);
    }

    @Test
    void shouldSayNoSuchDeviceWhenSysfsHasNone() {
        VfioException e = failingOpen("0000:ff:00.0");

        assertThat(e.problem()).isEqualTo(Problem.NO_SUCH_DEVICE);
        assertThat(e).hasMessageContaining("0000:ff:00.0: no such device: ").hasMessageContaining("does not exist");
    }

    @Test
    void shouldSayNoSuchDeviceWhenTheCdevIsMissing() {
        VfioException e = failingOpen("/dev/vfio/devices/vfio9");

        assertThat(e.problem()).isEqualTo(Problem.NO_SUCH_DEVICE);
        assertThat(e).hasMessageContaining("ENOENT (2)");
    }

    @Test
    void shouldSayNotBoundWhenThereIsNoWayToOpenIt() {
        VfioException e = failingOpen(PCI);

        assertThat(e.problem()).isEqualTo(Problem.NOT_BOUND);
        assertThat(e)
                .hasMessage(PCI + ": not bound to a VFIO driver (its driver is mlx5_vfio_pci); bind it to the vfio "
                        + "driver of its vendor first");
    }

    @ParameterizedTest
    @CsvSource({
        "EBUSY, BUSY, something else has opened",
        "EACCES, NO_PERMISSION, may not open",
        "EPERM, NO_PERMISSION, may not open",
        "ENODEV, NO_SUCH_DEVICE, no such device",
        "EMFILE, FAILED, cannot open"
    })
    void shouldSayWhyWhenTheNodeCannotBeOpened(Errno errno, Problem problem, String words) throws IOException {
        offerCdev();
        libc.failOpen(dev("vfio/devices/vfio3"), errno);

        VfioException e = failingOpen(PCI);

        assertThat(e.problem()).isEqualTo(problem);
        assertThat(e.errno()).isEqualTo(errno.number());
        assertThat(e).hasMessageContaining(words).hasMessageContaining(errno + " (" + errno.number() + ")");
    }

    @Test
    void shouldSayBusyWhenTheBindIsRefused() throws IOException {
        offerCdev();
        bindResult = Errno.EBUSY.negated();

        VfioException e = failingOpen(PCI);

        assertThat(e.problem()).isEqualTo(Problem.BUSY);
        assertThat(e).hasMessageContaining("binding it to an iommufd failed: something else uses the device");
    }

    @Test
    void shouldSayNoPermissionWhenTheAttachIsRefused() throws IOException {
        offerCdev();
        attachResult = Errno.EPERM.negated();

        assertThat(failingOpen(PCI).problem()).isEqualTo(Problem.NO_PERMISSION);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ENOTTY", "EINVAL"})
    void shouldSayNoMigrationWhenTheDriverHasNone(String errno) throws IOException {
        offerCdev();
        device.features = Errno.valueOf(errno).negated();

        VfioException e = failingOpen(PCI);

        assertThat(e.problem()).isEqualTo(Problem.NO_MIGRATION);
        assertThat(e).hasMessageContaining("its driver (mlx5_vfio_pci) does not support migration");
    }

    @Test
    void shouldSayGroupNotViableWhenAnotherDriverHoldsAPart() throws IOException {
        offerGroup(pci);
        groupFlags = 0;

        VfioException e = failingOpen(PCI);

        assertThat(e.problem()).isEqualTo(Problem.GROUP_NOT_VIABLE);
        assertThat(e).hasMessageContaining("group 42 is not viable").hasMessageContaining("unbind it");
    }

    @Test
    void shouldSayNoSuchDeviceWhenTheGroupHasNoSuchName() throws IOException {
        offerGroup(pci);
        getDeviceFdResult = Errno.ENODEV.negated();

        VfioException e = failingOpen("/dev/vfio/42/0000:00:00.0");

        assertThat(e.problem()).isEqualTo(Problem.NO_SUCH_DEVICE);
        assertThat(e).hasMessageContaining("group 42 has no such device");
    }

    @Test
    void shouldCloseEverythingWhenAnyStepThroughTheGroupFails() throws IOException {
        offerGroup(pci);
        libc.failOpen(dev("vfio/42"), Errno.EBUSY);
        assertThat(failingOpen(PCI).problem()).isEqualTo(Problem.BUSY);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void shouldSayWhichStepWhenTheGroupRefusesIt(int step) throws IOException {
        offerGroup(pci);
        setContainerResult = step == 0 ? Errno.EINVAL.negated() : 0;
        setIommuResult = step == 1 ? Errno.EINVAL.negated() : 0;
        getDeviceFdResult = step == 2 ? Errno.EPERM.negated() : 0;

        VfioException e = failingOpen(PCI);

        assertThat(e)
                .hasMessageContaining(
                        List.of("into a container failed", "type1 IOMMU failed", "through its group failed")
                                .get(step));
    }

    @Test
    void shouldListDevicesWithTheirWaysWhenThereAreSome() throws IOException {
        assertThat(host.devices()).isEmpty();
        offerCdev();
        offerGroup(pci);

        assertThat(host.devices())
                .containsExactly(new VfioHost.ListedDevice(
                        PCI,
                        new DeviceIdentity("pci:15b3:101e:15b3:0058", "mlx5_vfio_pci"),
                        List.of(new DeviceAddress.Cdev("vfio3"), new DeviceAddress.Grouped("42", PCI))));
        assertThat(libc.opened()).isEmpty();
    }

    /** Opens a device in vain; the leak check sees to it that nothing stays open. */
    private VfioException failingOpen(String address) {
        VfioException e = catchThrowableOfType(VfioException.class, () -> host.open(DeviceAddress.parse(address)));
        assertThat(e).isNotNull();
        assertThat(libc.closed()).containsAll(libc.openedFds());
        return e;
    }

    private void offerCdev() throws IOException {
        folder("sys/devices/pci0000:3a/" + PCI + "/vfio-dev/vfio3");
        file("dev/iommu");
        file("dev/vfio/devices/vfio3");
        libc.script(dev("vfio/devices/vfio3"), (request, argument) -> {
            if (request == Vfio.VFIO_DEVICE_BIND_IOMMUFD) {
                steps.add("bind");
                assertThat(VfioDeviceBindIommufd.ARGSZ.get(argument)).isEqualTo(16);
                assertThat(libc.openedFds()).contains(VfioDeviceBindIommufd.IOMMUFD.get(argument));
                return bindResult;
            }
            if (request == Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT) {
                steps.add("attach " + VfioDeviceAttachIommufdPt.PT_ID.get(argument));
                assertThat(VfioDeviceAttachIommufdPt.ARGSZ.get(argument)).isEqualTo(12);
                return attachResult;
            }
            return device.answer(request, argument);
        });
        libc.script(dev("iommu"), (request, argument) -> {
            assertThat(request).isEqualTo((long) Iommufd.IOMMU_IOAS_ALLOC);
            steps.add("ioas");
            IommuIoasAlloc.OUT_IOAS_ID.set(argument, IOAS);
            return 0;
        });
    }

    private void offerGroup(Path of) throws IOException {
        Files.createSymbolicLink(of.resolve("iommu_group"), folder("sys/kernel/iommu_groups/42"));
        file("dev/vfio/vfio");
        file("dev/vfio/42");
        libc.script(dev("vfio/vfio"), (request, argument) -> {
            assertThat(request).isEqualTo((long) Vfio.VFIO_SET_IOMMU);
            steps.add("iommu " + argument.address());
            return setIommuResult;
        });
        libc.script(dev("vfio/42"), this::group);
    }

    private int group(long request, MemorySegment argument) {
        if (request == Vfio.VFIO_GROUP_GET_STATUS) {
            steps.add("status");
            VfioGroupStatus.FLAGS.set(argument, groupFlags);
            return 0;
        }
        if (request == Vfio.VFIO_GROUP_SET_CONTAINER) {
            steps.add("container");
            assertThat(libc.openedFds()).contains(argument.get(ValueLayout.JAVA_INT, 0));
            return setContainerResult;
        }
        assertThat(request).isEqualTo((long) Vfio.VFIO_GROUP_GET_DEVICE_FD);
        steps.add("device " + argument.getString(0));
        if (getDeviceFdResult < 0) {
            return getDeviceFdResult;
        }
        int fd = libc.dup(device.fd());
        libc.script(fd, device);
        return fd;
    }

    private String dev(String path) {
        return host.dev().resolve(path).toString();
    }

    private Path folder(String path) throws IOException {
        return Files.createDirectories(root.resolve(path));
    }

    private void file(String path) throws IOException {
        Path file = root.resolve(path);
        folder(root.relativize(file.getParent()).toString());
        Files.createFile(file);
    }

    private static void write(Path folder, String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text + "\n");
    }
}
