// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.Struct;
import io.vfio4j.ffm.iommufd.IommuDestroy;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuIoasUnmap;
import io.vfio4j.ffm.iommufd.IommuOption;
import io.vfio4j.ffm.iommufd.Iommufd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Assumptions;

/**
 * An iommufd with the kernel's mock IOMMU ({@code CONFIG_IOMMUFD_TEST}), one I/O address space, and devices behind it
 * that dirty pages on command: {@code iommufd_test.h}, which is no uAPI.
 */
final class MockIommu implements AutoCloseable {
    /** The first address that the mock maps. */
    static final long APERTURE = 1 << 24;

    /** How much one dirty bit of the mock's page table stands for. */
    static final long PAGE = 2048;

    /** For {@link #attach}: the mock without dirty bits. */
    static final int NO_DIRTY = 1;

    private static final long IOMMU_TEST_CMD = 0x3ba0;
    private static final int MOCK_DOMAIN_REPLACE = 10;
    private static final int MOCK_DOMAIN_FLAGS = 12;
    private static final int DIRTY = 13;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofConfined();
    private final IommuFd iommufd;
    private final int ioasId;

    /**
     * A mock device.
     *
     * @param stdevId what the mock calls it
     * @param deviceId its id in the iommufd
     * @param hwptId the page table that it was attached to first, which has no dirty bits
     */
    record Device(int stdevId, int deviceId, int hwptId) {}

    /** {@code struct iommu_test_cmd}. */
    private static final class TestCmd {
        private static final Struct.Builder C = Struct.named("iommu_test_cmd");
        static final Struct.U32 SIZE = C.u32("size");
        static final Struct.U32 OP = C.u32("op");
        static final Struct.U32 ID = C.u32("id");

        /** Behind {@code __reserved}; with {@code last} and its padding. */
        static final Struct.Bytes UNION = C.array("union", 56, Long.BYTES);

        static final Struct STRUCT = C.end();
    }

    /** {@code mock_domain_flags} in the union. */
    private static final class MockDomain {
        private static final Struct.Builder C = Struct.named("mock_domain_flags");
        static final Struct.U32 OUT_STDEV_ID = C.u32("out_stdev_id");
        static final Struct.U32 OUT_HWPT_ID = C.u32("out_hwpt_id");
        static final Struct.U32 OUT_IDEV_ID = C.u32("out_idev_id");
        static final Struct.U32 DEV_FLAGS = C.u32("dev_flags");
    }

    /** {@code mock_domain_replace} in the union. */
    private static final class MockDomainReplace {
        static final Struct.U32 PT_ID = Struct.named("mock_domain_replace").u32("pt_id");
    }

    /** {@code dirty} in the union. */
    private static final class Dirty {
        private static final Struct.Builder C = Struct.named("dirty");
        static final Struct.U32 FLAGS = C.u32("flags");
        static final Struct.U64 IOVA = C.u64("iova");
        static final Struct.U64 LENGTH = C.u64("length");
        static final Struct.U64 PAGE_SIZE = C.u64("page_size");
        static final Struct.U64 UPTR = C.u64("uptr");
        static final Struct.U64 OUT_NR_DIRTY = C.u64("out_nr_dirty");
    }

    /** Opens an iommufd, or skips the test where the kernel has none or no mock. */
    MockIommu() {
        int fd = libc.open(IommuFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC);
        Assumptions.assumeTrue(fd >= 0, () -> "iommufd page tables: no " + IommuFd.PATH + " here");
        iommufd = new IommuFd(libc, fd);
        int probe = libc.ioctl(fd, IOMMU_TEST_CMD, command(0));
        if (Errno.ENOTTY.is(probe)) {
            libc.close(fd);
        }
        Assumptions.assumeFalse(
                Errno.ENOTTY.is(probe), "iommufd page tables: no mock IOMMU here (CONFIG_IOMMUFD_TEST)");
        ioasId = DmaDevice.ioasAlloc(iommufd);
    }

    private MemorySegment command(int operation) {
        MemorySegment command = TestCmd.STRUCT.allocate(arena);
        TestCmd.SIZE.set(command, (int) command.byteSize());
        TestCmd.OP.set(command, operation);
        return command;
    }

    IommuFd iommufd() {
        return iommufd;
    }

    int ioasId() {
        return ioasId;
    }

    /**
     * Has each page of 4 KiB mapped for itself: otherwise, what is contiguous in physical memory by chance gets one
     * large I/O page, with one dirty bit. Comes before all else.
     */
    MockIommu withoutLargePages() {
        MemorySegment option = IommuOption.STRUCT.allocate(arena);
        IommuOption.SIZE.set(option, (int) option.byteSize());
        IommuOption.OPTION_ID.set(option, Iommufd.IOMMU_OPTION_HUGE_PAGES);
        IommuOption.OP.set(option, Iommufd.IOMMU_OPTION_OP_SET);
        IommuOption.OBJECT_ID.set(option, ioasId);
        IommuOption.VAL64.set(option, 0);
        DmaDevice.succeed(iommufd.option(option), "set IOMMU_OPTION_HUGE_PAGES");
        return this;
    }

    /** Makes a mock device and attaches it to the I/O address space. */
    Device attach(int flags) {
        MemorySegment command = command(MOCK_DOMAIN_FLAGS);
        TestCmd.ID.set(command, ioasId);
        MemorySegment domain = TestCmd.UNION.of(command);
        MockDomain.DEV_FLAGS.set(domain, flags);
        DmaDevice.succeed(libc.ioctl(iommufd.fd(), IOMMU_TEST_CMD, command), "make a mock device");
        return new Device(
                MockDomain.OUT_STDEV_ID.get(domain),
                MockDomain.OUT_IDEV_ID.get(domain),
                MockDomain.OUT_HWPT_ID.get(domain));
    }

    /** Attaches a mock device to a page table, or to an I/O address space. */
    void replace(Device device, int pageTableId) {
        MemorySegment command = command(MOCK_DOMAIN_REPLACE);
        TestCmd.ID.set(command, device.stdevId());
        MockDomainReplace.PT_ID.set(TestCmd.UNION.of(command), pageTableId);
        DmaDevice.succeed(libc.ioctl(iommufd.fd(), IOMMU_TEST_CMD, command), "replace a page table");
    }

    /** Sets dirty bits in a page table as a device's DMA does, or answers -errno where that does not watch. */
    int dirty(int hwptId, DirtyBitmap pages) {
        MemorySegment command = command(DIRTY);
        TestCmd.ID.set(command, hwptId);
        MemorySegment dirty = TestCmd.UNION.of(command);
        Dirty.FLAGS.set(dirty, 0);
        Dirty.IOVA.set(dirty, pages.range().start());
        Dirty.LENGTH.set(dirty, pages.range().length());
        Dirty.PAGE_SIZE.set(dirty, pages.pageSize());
        Dirty.UPTR.set(dirty, pages.memory().address());
        int result = libc.ioctl(iommufd.fd(), IOMMU_TEST_CMD, command);
        if (result >= 0) {
            assertThat(Dirty.OUT_NR_DIRTY.get(dirty)).isEqualTo(pages.dirtyPages());
        }
        return result;
    }

    /** Maps memory at an address of the I/O address space. */
    void map(long iova, long length) {
        DmaDevice.ioasMap(
                iommufd,
                ioasId,
                iova,
                MappedMemory.map(libc, length, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena));
    }

    void unmap(long iova, long length) {
        MemorySegment unmap = IommuIoasUnmap.STRUCT.allocate(arena);
        IommuIoasUnmap.SIZE.set(unmap, (int) unmap.byteSize());
        IommuIoasUnmap.IOAS_ID.set(unmap, ioasId);
        IommuIoasUnmap.IOVA.set(unmap, iova);
        IommuIoasUnmap.LENGTH.set(unmap, length);
        DmaDevice.succeed(iommufd.ioasUnmap(unmap), "unmap");
    }

    /** Destroys an object that nothing uses. */
    void destroy(int id) {
        MemorySegment destroy = IommuDestroy.STRUCT.allocate(arena);
        IommuDestroy.SIZE.set(destroy, (int) destroy.byteSize());
        IommuDestroy.ID.set(destroy, id);
        DmaDevice.succeed(iommufd.destroy(destroy), "destroy");
    }

    /** Closing the iommufd ends all that was made in it. */
    @Override
    public void close() {
        libc.close(iommufd.fd());
        arena.close();
    }
}
