// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.PollFd;
import io.vfio4j.ffm.iommufd.IommuDestroy;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuIoasAlloc;
import io.vfio4j.ffm.iommufd.IommuIoasMap;
import io.vfio4j.ffm.iommufd.IommuIoasUnmap;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.GroupFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceInfo;
import io.vfio4j.ffm.vfio.VfioGroupStatus;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaMap;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaUnmap;
import io.vfio4j.ffm.vfio.VfioRegionInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rules for opening devices and the ioctls around migration, as recorded of Linux 7.3 and read in its source. */
class EmulatedKernelTest {
    private static final int EINVAL = Errno.EINVAL.negated();
    private static final int EBUSY = Errno.EBUSY.negated();
    private static final int ENODEV = Errno.ENODEV.negated();
    private static final int ENOENT = Errno.ENOENT.negated();
    private static final int ENOTTY = Errno.ENOTTY.negated();
    private static final int EEXIST = Errno.EEXIST.negated();
    private static final int RDWR = LibC.O_RDWR | LibC.O_CLOEXEC;

    private final Arena arena = Arena.ofShared();
    private final EmulatedKernel kernel = new EmulatedKernel(LibC.system(), () -> 0);
    private final EmulatedDevice device = kernel.add(EmulatedDeviceSpec.parse("emulated:size=4KiB"));

    @AfterEach
    void close() {
        kernel.close();
        arena.close();
    }

    @Test
    void shouldKnowOnlyBindUntilTheCdevIsBound() {
        DeviceFd cdev = new DeviceFd(kernel, kernel.open("/dev/vfio/devices/vfio0", RDWR));
        assertThat(cdev.getInfo(OpenDevice.sized(VfioDeviceInfo.STRUCT, arena))).isEqualTo(EINVAL);
        assertThat(cdev.reset()).isEqualTo(EINVAL);
        assertThat(kernel.ioctl(cdev.fd(), 0x3bff, 0)).isEqualTo(EINVAL);
        assertThat(kernel.read(cdev.fd(), arena.allocate(1), 0, 1)).isEqualTo(EINVAL);
        assertThat(kernel.pread(cdev.fd(), arena.allocate(1), 0, 1, 7L << 40)).isEqualTo(EINVAL);

        int iommufd = kernel.open(IommuFd.PATH, RDWR);
        assertThat(OpenDevice.bind(cdev, 987_654, arena)).isEqualTo(Errno.EBADF.negated());
        assertThat(OpenDevice.bind(cdev, -1, arena)).isEqualTo(EINVAL);
        assertThat(OpenDevice.bind(cdev, cdev.fd(), arena)).isEqualTo(Errno.EBADFD.negated());
        assertThat(OpenDevice.bind(cdev, iommufd, arena)).isZero();
        assertThat(OpenDevice.bind(cdev, iommufd, arena)).isEqualTo(EINVAL);
        DeviceFd second = new DeviceFd(kernel, kernel.open("/dev/vfio/devices/vfio0", RDWR));
        assertThat(OpenDevice.bind(second, iommufd, arena)).isEqualTo(EINVAL);
        assertThat(kernel.ioctl(cdev.fd(), 0x3bff, 0)).isEqualTo(ENOTTY);

        assertThat(kernel.close(cdev.fd())).isZero();
        assertThat(OpenDevice.bind(second, iommufd, arena)).isZero();
    }

    @Test
    void shouldCheckTheSizeOfBind() {
        DeviceFd cdev = new DeviceFd(kernel, kernel.open("/dev/vfio/devices/vfio0", RDWR));
        MemorySegment bind = arena.allocate(32, 8).fill((byte) 0);
        VfioDeviceBindIommufd.IOMMUFD.set(bind, kernel.open(IommuFd.PATH, RDWR));
        VfioDeviceBindIommufd.ARGSZ.set(bind, 12);
        assertThat(cdev.bindIommufd(bind)).isEqualTo(EINVAL);
        VfioDeviceBindIommufd.ARGSZ.set(bind, 32);
        bind.set(JAVA_INT, 28, 1);
        assertThat(cdev.bindIommufd(bind)).isEqualTo(Errno.E2BIG.negated());
        bind.set(JAVA_INT, 28, 0);
        assertThat(cdev.bindIommufd(bind)).isZero();
    }

    @Test
    void shouldAttachToAnAddressSpaceThatIsThere() {
        DeviceFd cdev = new DeviceFd(kernel, kernel.open("/dev/vfio/devices/vfio0", RDWR));
        IommuFd iommufd = new IommuFd(kernel, kernel.open(IommuFd.PATH, RDWR));
        assertThat(OpenDevice.bind(cdev, iommufd.fd(), arena)).isZero();
        MemorySegment attach = OpenDevice.sized(VfioDeviceAttachIommufdPt.STRUCT, arena);
        VfioDeviceAttachIommufdPt.PT_ID.set(attach, 77);
        assertThat(cdev.attachIommufdPt(attach)).isEqualTo(ENOENT);

        int ioas = allocate(iommufd);
        VfioDeviceAttachIommufdPt.PT_ID.set(attach, ioas);
        assertThat(cdev.attachIommufdPt(attach)).isZero();
        MemorySegment destroy = OpenDevice.sized(IommuDestroy.STRUCT, arena);
        IommuDestroy.ID.set(destroy, ioas);
        assertThat(iommufd.destroy(destroy)).isEqualTo(EBUSY);
        kernel.close(cdev.fd());
        assertThat(iommufd.destroy(destroy)).isZero();
        assertThat(iommufd.destroy(destroy)).isEqualTo(ENOENT);
    }

    @Test
    void shouldMapIntoAnAddressSpace() {
        IommuFd iommufd = new IommuFd(kernel, kernel.open(IommuFd.PATH, RDWR));
        MemorySegment map = OpenDevice.sized(IommuIoasMap.STRUCT, arena);
        IommuIoasMap.FLAGS.set(map, Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA | Iommufd.IOMMU_IOAS_MAP_READABLE);
        IommuIoasMap.LENGTH.set(map, 8192);
        assertThat(iommufd.ioasMap(map)).isEqualTo(ENOENT);
        int ioas = allocate(iommufd);
        IommuIoasMap.IOAS_ID.set(map, ioas);
        assertThat(iommufd.ioasMap(map)).isZero();
        IommuIoasMap.IOVA.set(map, 4096);
        assertThat(iommufd.ioasMap(map)).isEqualTo(EEXIST);
        IommuIoasMap.LENGTH.set(map, 1);
        assertThat(iommufd.ioasMap(map)).isEqualTo(EINVAL);
        IommuIoasMap.LENGTH.set(map, 4096);
        IommuIoasMap.FLAGS.set(map, Iommufd.IOMMU_IOAS_MAP_WRITEABLE);
        assertThat(iommufd.ioasMap(map)).isZero();
        assertThat(IommuIoasMap.IOVA.get(map)).as("the kernel's choice").isEqualTo(8192);

        MemorySegment unmap = OpenDevice.sized(IommuIoasUnmap.STRUCT, arena);
        IommuIoasUnmap.IOAS_ID.set(unmap, ioas);
        IommuIoasUnmap.LENGTH.set(unmap, 1 << 20);
        assertThat(iommufd.ioasUnmap(unmap)).isZero();
        assertThat(IommuIoasUnmap.LENGTH.get(unmap)).isEqualTo(8192 + 4096);
        assertThat(iommufd.ioasUnmap(unmap)).isEqualTo(ENOENT);
        assertThat(kernel.ioctl(iommufd.fd(), Vfio.VFIO_GET_API_VERSION, 0)).isZero();
        assertThat(kernel.ioctl(iommufd.fd(), 0x3bff, 0)).isEqualTo(ENOTTY);
    }

    @Test
    void shouldGoTheWayThroughGroupAndContainer() {
        ContainerFd container = new ContainerFd(kernel, kernel.open(ContainerFd.PATH, RDWR));
        assertThat(container.getApiVersion()).isEqualTo(Vfio.VFIO_API_VERSION);
        assertThat(container.checkExtension(Vfio.VFIO_TYPE1v2_IOMMU)).isEqualTo(1);
        assertThat(container.checkExtension(7)).isZero();
        assertThat(container.setIommu(Vfio.VFIO_TYPE1v2_IOMMU)).as("no group").isEqualTo(EINVAL);

        GroupFd group = new GroupFd(kernel, kernel.open(device.groupPath(), RDWR));
        assertThat(kernel.open(device.groupPath(), RDWR)).isEqualTo(EBUSY);
        assertThat(status(group)).isEqualTo(Vfio.VFIO_GROUP_FLAGS_VIABLE);
        assertThat(group.getDeviceFd(device.name())).isEqualTo(EINVAL);
        assertThat(group.unsetContainer()).isEqualTo(EINVAL);
        assertThat(group.setContainer(new ContainerFd(kernel, 987_654))).isEqualTo(Errno.EBADF.negated());
        assertThat(group.setContainer(new ContainerFd(kernel, group.fd()))).isEqualTo(EINVAL);
        assertThat(group.setContainer(container)).isZero();
        assertThat(group.setContainer(container)).isEqualTo(EINVAL);
        assertThat(status(group)).isEqualTo(Vfio.VFIO_GROUP_FLAGS_VIABLE | Vfio.VFIO_GROUP_FLAGS_CONTAINER_SET);
        assertThat(group.getDeviceFd(device.name())).as("before SET_IOMMU").isEqualTo(EINVAL);
        assertThat(container.setIommu(7)).isEqualTo(ENODEV);
        assertThat(container.setIommu(Vfio.VFIO_TYPE1v2_IOMMU)).isZero();
        assertThat(container.setIommu(Vfio.VFIO_TYPE1v2_IOMMU)).isEqualTo(EINVAL);
        assertThat(group.getDeviceFd("emulated")).isEqualTo(ENODEV);
        assertThat(group.getDeviceFd("emulated01")).isEqualTo(ENODEV);

        DeviceFd first = new DeviceFd(kernel, group.getDeviceFd(device.name()));
        DeviceFd second = new DeviceFd(kernel, group.getDeviceFd(device.name()));
        MemorySegment info = OpenDevice.sized(VfioDeviceInfo.STRUCT, arena);
        assertThat(first.getInfo(info)).isZero();
        assertThat(second.getInfo(info)).isZero();
        assertThat(OpenDevice.bind(first, kernel.open(IommuFd.PATH, RDWR), arena))
                .isEqualTo(EINVAL);
        assertThat(first.attachIommufdPt(OpenDevice.sized(VfioDeviceAttachIommufdPt.STRUCT, arena)))
                .isEqualTo(ENOTTY);
        assertThat(group.unsetContainer()).isEqualTo(EBUSY);

        kernel.close(first.fd());
        kernel.close(group.fd());
        assertThat(kernel.open(device.groupPath(), RDWR))
                .as("a device file keeps its group open")
                .isEqualTo(EBUSY);
        kernel.close(second.fd());
        assertThat(kernel.open(device.groupPath(), RDWR)).isNotNegative();
    }

    @Test
    void shouldTakeAnIommufdForAContainer() {
        GroupFd group = new GroupFd(kernel, kernel.open(device.groupPath(), RDWR));
        assertThat(group.setContainer(new ContainerFd(kernel, kernel.open(IommuFd.PATH, RDWR))))
                .isZero();
        assertThat(group.getDeviceFd(device.name())).isNotNegative();
    }

    @Test
    void shouldMapIntoAContainerWithAnIommu() {
        ContainerFd container = new ContainerFd(kernel, kernel.open(ContainerFd.PATH, RDWR));
        GroupFd group = new GroupFd(kernel, kernel.open(device.groupPath(), RDWR));
        MemorySegment map = OpenDevice.sized(VfioIommuType1DmaMap.STRUCT, arena);
        VfioIommuType1DmaMap.SIZE.set(map, 4096);
        VfioIommuType1DmaMap.FLAGS.set(map, Vfio.VFIO_DMA_MAP_FLAG_READ);
        assertThat(container.mapDma(map)).isEqualTo(EINVAL);
        assertThat(group.setContainer(container)).isZero();
        assertThat(container.setIommu(Vfio.VFIO_TYPE1_IOMMU)).isZero();
        assertThat(container.mapDma(map)).isZero();
        assertThat(container.mapDma(map)).isEqualTo(EEXIST);
        VfioIommuType1DmaMap.FLAGS.set(map, 0);
        assertThat(container.mapDma(map)).isEqualTo(EINVAL);
        MemorySegment unmap = OpenDevice.sized(VfioIommuType1DmaUnmap.STRUCT, arena);
        VfioIommuType1DmaUnmap.SIZE.set(unmap, 8192);
        assertThat(container.unmapDma(unmap)).isZero();
        assertThat(VfioIommuType1DmaUnmap.SIZE.get(unmap)).isEqualTo(4096);
        assertThat(group.unsetContainer()).isZero();
        assertThat(container.unmapDma(unmap)).as("without its last group").isEqualTo(EINVAL);
    }

    @Test
    void shouldLetGroupAndCdevExcludeEachOther() {
        int group = kernel.open(device.groupPath(), RDWR);
        DeviceFd cdev = new DeviceFd(kernel, kernel.open(device.cdevPath(), RDWR));
        int iommufd = kernel.open(IommuFd.PATH, RDWR);
        assertThat(OpenDevice.bind(cdev, iommufd, arena)).isEqualTo(EBUSY);
        kernel.close(group);
        assertThat(OpenDevice.bind(cdev, iommufd, arena)).isZero();
        assertThat(kernel.open(device.groupPath(), RDWR)).isEqualTo(EBUSY);
        kernel.close(cdev.fd());
        assertThat(kernel.open(device.groupPath(), RDWR)).isNotNegative();
    }

    @Test
    void shouldOwnVfioPathsAndLeaveTheOthersToTheRealKernel(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "text");
        int fd = kernel.open(file.toString(), LibC.O_RDONLY);
        MemorySegment buffer = arena.allocate(8);
        assertThat(kernel.read(fd, buffer, 0, 8)).isEqualTo(4);
        assertThat(kernel.close(fd)).isZero();
        assertThat(kernel.open("/dev/vfio/devices/vfio1", RDWR)).isEqualTo(ENOENT);
        assertThat(kernel.open("/dev/vfio/1", RDWR)).isEqualTo(ENOENT);
        EmulatedDevice second = kernel.add(EmulatedDeviceSpec.parse("emulated:size=4KiB"));
        assertThat(second.cdevPath()).isEqualTo("/dev/vfio/devices/vfio1");
        assertThat(kernel.open(second.cdevPath(), RDWR)).isNotNegative();
        assertThat(second.digest()).as("each device has its own contents").isNotEqualTo(device.digest());
    }

    @Test
    void shouldCheckTheArgumentsOfAFeatureInTheKernelsOrder() {
        try (OpenDevice open = new OpenDevice(kernel, device)) {
            int get = OpenDevice.GET;
            int set = OpenDevice.SET;
            int probe = OpenDevice.PROBE;
            MemorySegment tooShort = open.feature(get | 1 << 19, 8);
            VfioDeviceFeature.ARGSZ.set(tooShort, 7);
            assertThat(open.fd.feature(tooShort)).isEqualTo(EINVAL);
            assertThat(open.fd.feature(open.feature(get | 1 << 19 | 99, 8))).isEqualTo(EINVAL);
            assertThat(open.fd.feature(open.feature(get | set | 99, 8))).isEqualTo(EINVAL);
            assertThat(open.fd.feature(open.feature(99, 8))).isEqualTo(ENOTTY);
            assertThat(open.fd.feature(open.feature(set | Vfio.VFIO_DEVICE_FEATURE_MIGRATION, 8)))
                    .isEqualTo(EINVAL);
            assertThat(open.fd.feature(open.feature(Vfio.VFIO_DEVICE_FEATURE_MIGRATION, 8)))
                    .isEqualTo(EINVAL);
            assertThat(open.fd.feature(open.feature(get | Vfio.VFIO_DEVICE_FEATURE_MIGRATION, 4)))
                    .isEqualTo(EINVAL);
            assertThat(open.fd.feature(open.feature(probe | Vfio.VFIO_DEVICE_FEATURE_MIGRATION, 0)))
                    .isZero();
            assertThat(open.features()).isEqualTo(7);

            // Rows as recorded of mtty: probe alone, with GET, with SET, with both.
            assertProbes(open, Vfio.VFIO_DEVICE_FEATURE_MIGRATION, 0, 0, EINVAL, EINVAL);
            assertProbes(open, Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, 0, 0, 0, 0);
            assertProbes(open, Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, 0, 0, EINVAL, EINVAL);
            assertProbes(open, Vfio.VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, 0, EINVAL, 0, EINVAL);
            assertProbes(open, 3, ENOTTY, ENOTTY, ENOTTY, ENOTTY);
        }
    }

    @Test
    void shouldDescribeAPciDeviceWithItsIds() {
        try (OpenDevice open = new OpenDevice(kernel, device)) {
            MemorySegment info = OpenDevice.sized(VfioDeviceInfo.STRUCT, arena);
            assertThat(open.fd.getInfo(info)).isZero();
            assertThat(VfioDeviceInfo.FLAGS.get(info))
                    .isEqualTo(Vfio.VFIO_DEVICE_FLAGS_PCI | Vfio.VFIO_DEVICE_FLAGS_RESET);
            assertThat(VfioDeviceInfo.NUM_REGIONS.get(info)).isEqualTo(9);
            VfioDeviceInfo.ARGSZ.set(info, 8);
            assertThat(open.fd.getInfo(info)).isEqualTo(EINVAL);

            MemorySegment region = OpenDevice.sized(VfioRegionInfo.STRUCT, arena);
            VfioRegionInfo.INDEX.set(region, Vfio.VFIO_PCI_CONFIG_REGION_INDEX);
            assertThat(open.fd.getRegionInfo(region)).isZero();
            assertThat(VfioRegionInfo.SIZE.get(region)).isEqualTo(256);
            long offset = VfioRegionInfo.OFFSET.get(region);
            MemorySegment config = arena.allocate(64, 8);
            assertThat(kernel.pread(open.fd.fd(), config, 0, 64, offset)).isEqualTo(64);
            assertThat(config.get(JAVA_SHORT, 0x00)).isEqualTo((short) EmulatedDevice.PCI_VENDOR);
            assertThat(config.get(JAVA_SHORT, 0x02)).isEqualTo((short) EmulatedDevice.PCI_DEVICE);
            assertThat(config.get(JAVA_SHORT, 0x2c)).isEqualTo((short) EmulatedDevice.PCI_VENDOR);
            assertThat(config.get(JAVA_SHORT, 0x2e)).isEqualTo((short) EmulatedDevice.PCI_SUBSYSTEM);
            assertThat(kernel.pread(open.fd.fd(), config, 0, 64, offset + 250)).isEqualTo(6);
            assertThat(kernel.pread(open.fd.fd(), config, 0, 64, 0)).isEqualTo(EINVAL);
            VfioRegionInfo.INDEX.set(region, 9);
            assertThat(open.fd.getRegionInfo(region)).isEqualTo(EINVAL);
        }
    }

    @Test
    void shouldBeginAnewWhenTheLastFileWasClosed() {
        int orphan;
        try (OpenDevice open = new OpenDevice(kernel, device)) {
            assertThat(open.optInToPrecopyInfoV2()).isZero();
            orphan = kernel.dup(open.open(Vfio.VFIO_DEVICE_STATE_PRE_COPY));
        }
        assertThat(device.state()).isEqualTo(Vfio.VFIO_DEVICE_STATE_RUNNING);
        assertThat(kernel.read(orphan, arena.allocate(1), 0, 1)).isEqualTo(ENODEV);
        try (OpenDevice open = new OpenDevice(kernel, device)) {
            int from = open.open(Vfio.VFIO_DEVICE_STATE_PRE_COPY);
            assertThat(open.info(from).flags())
                    .as("without the opt-in the caller's flags come back")
                    .isEqualTo(0xeeeeeeee);
        }
    }

    @Test
    void shouldAlwaysPollReadyAsMostDriversDo() {
        try (OpenDevice open = new OpenDevice(kernel, device)) {
            MemorySegment poll = PollFd.STRUCT.allocate(arena);
            PollFd.FD.set(poll, open.open(Vfio.VFIO_DEVICE_STATE_PRE_COPY));
            PollFd.EVENTS.set(poll, LibC.POLLIN | LibC.POLLOUT);
            assertThat(kernel.poll(poll, 1, 0)).isEqualTo(1);
            assertThat(PollFd.REVENTS.get(poll)).isEqualTo(LibC.POLLIN | LibC.POLLOUT);
        }
    }

    @Test
    void shouldLeakNoFds() {
        long before = Bench.openFds();
        try (EmulatedKernel other = new EmulatedKernel(LibC.system(), () -> 0)) {
            EmulatedDevice otherDevice = other.add(EmulatedDeviceSpec.parse("emulated:size=4KiB"));
            long idle = Bench.openFds();
            try (OpenDevice open = new OpenDevice(other, otherDevice)) {
                open.open(Vfio.VFIO_DEVICE_STATE_STOP_COPY);
                assertThat(Bench.openFds()).isEqualTo(idle + 3);
            }
            assertThat(Bench.openFds()).isEqualTo(idle);
            other.open(ContainerFd.PATH, RDWR);
            other.open(otherDevice.groupPath(), RDWR);
            other.close();
            assertThat(Bench.openFds()).isEqualTo(before);
            assertThatThrownBy(otherDevice::digest).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> other.add(EmulatedDeviceSpec.DEFAULT)).isInstanceOf(IllegalStateException.class);
        }
        assertThat(Bench.openFds()).isEqualTo(before);
    }

    @Test
    void shouldKeepItsCountsWhenManyThreadsUseOneDevice() throws Exception {
        EmulatedDevice shared = kernel.add(EmulatedDeviceSpec.parse("emulated:size=4MiB"));
        try (OpenDevice open = new OpenDevice(kernel, shared);
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            long total = open.dataSize();
            int from = open.open(Vfio.VFIO_DEVICE_STATE_STOP_COPY);
            Future<?>[] readers = new Future<?>[4];
            long[] read = new long[readers.length];
            for (int i = 0; i < readers.length; i++) {
                int reader = i;
                MemorySegment buffer = arena.allocate(5000);
                readers[i] = threads.submit(() -> {
                    for (long got = 1; got > 0; read[reader] += got) {
                        got = kernel.read(from, buffer, 0, 5000);
                        open.device.state();
                    }
                });
            }
            for (Future<?> reader : readers) {
                reader.get();
            }
            assertThat(read[0] + read[1] + read[2] + read[3]).isEqualTo(total);
        }
    }

    private int allocate(IommuFd iommufd) {
        MemorySegment alloc = OpenDevice.sized(IommuIoasAlloc.STRUCT, arena);
        assertThat(iommufd.ioasAlloc(alloc)).isZero();
        return IommuIoasAlloc.OUT_IOAS_ID.get(alloc);
    }

    private int status(GroupFd group) {
        MemorySegment status = OpenDevice.sized(VfioGroupStatus.STRUCT, arena);
        assertThat(group.getStatus(status)).isZero();
        return VfioGroupStatus.FLAGS.get(status);
    }

    private static void assertProbes(OpenDevice open, int feature, int none, int get, int set, int both) {
        assertThat(open.probe(feature, 0)).isEqualTo(none);
        assertThat(open.probe(feature, OpenDevice.GET)).isEqualTo(get);
        assertThat(open.probe(feature, OpenDevice.SET)).isEqualTo(set);
        assertThat(open.probe(feature, OpenDevice.GET | OpenDevice.SET)).isEqualTo(both);
    }
}
