// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuIoasAlloc;
import io.vfio4j.ffm.iommufd.IommuIoasMap;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.GroupFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigState;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaMap;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.Assumptions;

/** A mediated device opened with the bare bindings, so that memory can be mapped for its DMA. Closing it removes it. */
final class DmaDevice implements AutoCloseable {
    private final LibC libc = LibC.system();
    private final Deque<Integer> fds = new ArrayDeque<>();
    private final Arena arena = Arena.ofConfined();
    private final Mdev mdev;
    private final Way way;
    private final DeviceFd device;

    /** The iommufd or the container. */
    private final int mapper;

    private int deviceId;
    private int ioasId;

    /** Makes a device of a type such as {@code vfio4j_testdev-full}, and opens it. */
    DmaDevice(String type, Way way) throws IOException {
        String mapperPath = way == Way.CDEV ? IommuFd.PATH : ContainerFd.PATH;
        Assumptions.assumeTrue(
                Files.exists(Path.of(mapperPath)), () -> "DMA by " + way + ": no " + mapperPath + " here");
        this.mdev = new Mdev(type);
        this.way = way;
        this.mapper = open(mapperPath);
        this.device = new DeviceFd(libc, way == Way.CDEV ? openCdev() : openGrouped());
    }

    private int openCdev() throws IOException {
        int fd = open(mdev.cdev().toString());
        DeviceFd cdev = new DeviceFd(libc, fd);
        MemorySegment bind = VfioDeviceBindIommufd.STRUCT.allocate(arena);
        VfioDeviceBindIommufd.ARGSZ.set(bind, VfioDeviceBindIommufd.SIZE_WITHOUT_TOKEN);
        VfioDeviceBindIommufd.IOMMUFD.set(bind, mapper);
        succeed(cdev.bindIommufd(bind), "bind");
        deviceId = VfioDeviceBindIommufd.OUT_DEVID.get(bind);
        ioasId = ioasAlloc(iommufd());
        MemorySegment attach = VfioDeviceAttachIommufdPt.STRUCT.allocate(arena);
        VfioDeviceAttachIommufdPt.ARGSZ.set(attach, VfioDeviceAttachIommufdPt.SIZE_WITHOUT_PASID);
        VfioDeviceAttachIommufdPt.PT_ID.set(attach, ioasId);
        succeed(cdev.attachIommufdPt(attach), "attach");
        return fd;
    }

    private int openGrouped() throws IOException {
        String path = mdev.grouped().toString();
        GroupFd group = new GroupFd(libc, open(path.substring(0, path.lastIndexOf('/'))));
        succeed(group.setContainer(container()), "set container");
        succeed(container().setIommu(Vfio.VFIO_TYPE1v2_IOMMU), "set IOMMU");
        int fd = succeed(group.getDeviceFd(mdev.uuid()), "get device fd");
        fds.push(fd);
        return fd;
    }

    private int open(String path) {
        int fd = succeed(libc.open(path, LibC.O_RDWR | LibC.O_CLOEXEC), path);
        fds.push(fd);
        return fd;
    }

    static int succeed(int result, String what) {
        assertThat(result).as("%s: %s", what, Errno.describe(result)).isNotNegative();
        return result;
    }

    /** Makes an I/O address space and returns its id. */
    static int ioasAlloc(IommuFd iommufd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment alloc = IommuIoasAlloc.STRUCT.allocate(arena);
            IommuIoasAlloc.SIZE.set(alloc, (int) alloc.byteSize());
            succeed(iommufd.ioasAlloc(alloc), "make an I/O address space");
            return IommuIoasAlloc.OUT_IOAS_ID.get(alloc);
        }
    }

    /** Maps memory of this process at an address of an I/O address space. */
    static void ioasMap(IommuFd iommufd, int ioasId, long iova, MemorySegment memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment map = IommuIoasMap.STRUCT.allocate(arena);
            IommuIoasMap.SIZE.set(map, (int) map.byteSize());
            IommuIoasMap.FLAGS.set(
                    map,
                    Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA
                            | Iommufd.IOMMU_IOAS_MAP_READABLE
                            | Iommufd.IOMMU_IOAS_MAP_WRITEABLE);
            IommuIoasMap.IOAS_ID.set(map, ioasId);
            IommuIoasMap.USER_VA.set(map, memory.address());
            IommuIoasMap.LENGTH.set(map, memory.byteSize());
            IommuIoasMap.IOVA.set(map, iova);
            succeed(iommufd.ioasMap(map), "map");
        }
    }

    Mdev mdev() {
        return mdev;
    }

    DeviceFd fd() {
        return device;
    }

    IommuFd iommufd() {
        assertThat(way).isEqualTo(Way.CDEV);
        return new IommuFd(libc, mapper);
    }

    /** The device's id in its iommufd. */
    int deviceId() {
        return deviceId;
    }

    /** The I/O address space that it is attached to. */
    int ioasId() {
        return ioasId;
    }

    ContainerFd container() {
        assertThat(way).isEqualTo(Way.GROUP);
        return new ContainerFd(libc, mapper);
    }

    /** Maps memory for the device's DMA, and returns it. */
    MemorySegment map(long iova, long length) {
        MemorySegment memory = MappedMemory.map(libc, length, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        if (way == Way.CDEV) {
            ioasMap(iommufd(), ioasId, iova, memory);
            return memory;
        }
        try (Arena call = Arena.ofConfined()) {
            MemorySegment map = VfioIommuType1DmaMap.STRUCT.allocate(call);
            VfioIommuType1DmaMap.ARGSZ.set(map, (int) map.byteSize());
            VfioIommuType1DmaMap.FLAGS.set(map, Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE);
            VfioIommuType1DmaMap.VADDR.set(map, memory.address());
            VfioIommuType1DmaMap.IOVA.set(map, iova);
            VfioIommuType1DmaMap.SIZE.set(map, length);
            succeed(container().mapDma(map), "map");
        }
        return memory;
    }

    /** Has the test device write a byte to mapped memory, by DMA. */
    void write(long iova, long length, int value) throws IOException {
        mdev.attribute("dma_write", iova + " " + length + " " + value);
    }

    /** Sends a DEVICE_FEATURE without payload: 0 or -errno. */
    int feature(int flags) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment feature = VfioDeviceFeature.STRUCT.allocate(call);
            VfioDeviceFeature.ARGSZ.set(feature, (int) feature.byteSize());
            VfioDeviceFeature.FLAGS.set(feature, flags);
            return device.feature(feature);
        }
    }

    /** Sets the migration state; a session's fd is kept until the device is closed. */
    void setState(int state) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment feature = call.allocate(
                    VfioDeviceFeature.STRUCT.size() + VfioDeviceFeatureMigState.STRUCT.size(), Long.BYTES);
            VfioDeviceFeature.ARGSZ.set(feature, (int) feature.byteSize());
            VfioDeviceFeature.FLAGS.set(
                    feature, Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE);
            MemorySegment payload = VfioDeviceFeature.DATA.of(feature);
            VfioDeviceFeatureMigState.DEVICE_STATE.set(payload, state);
            VfioDeviceFeatureMigState.DATA_FD.set(payload, -1);
            succeed(device.feature(feature), "set state " + state);
            int dataFd = VfioDeviceFeatureMigState.DATA_FD.get(payload);
            if (dataFd >= 0) {
                fds.push(dataFd);
            }
        }
    }

    @Override
    public void close() throws IOException {
        fds.forEach(libc::close);
        arena.close();
        mdev.close();
    }
}
