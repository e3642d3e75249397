// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioBitmap;
import io.vfio4j.ffm.vfio.VfioInfoCapHeader;
import io.vfio4j.ffm.vfio.VfioIommuType1DirtyBitmap;
import io.vfio4j.ffm.vfio.VfioIommuType1DirtyBitmapGet;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaUnmap;
import io.vfio4j.ffm.vfio.VfioIommuType1Info;
import io.vfio4j.ffm.vfio.VfioIommuType1InfoCapMigration;
import io.vfio4j.testing.ScriptedLibC;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A container with a type1 IOMMU, of which all that a request asks for is pinned. Records what reaches the kernel. */
final class FakeContainer implements ScriptedLibC.Ioctls {
    private static final ScriptedLibC LIBC = new ScriptedLibC();
    private static final int HEAD = 24;
    private static final int AVAILABLE = 16;
    private static final int MIGRATION = 32;

    /** What comes of the chain of capabilities. */
    enum Capabilities {
        /** None, and no flag for them. */
        NONE,
        /** One, which is not the one. */
        OTHER,
        /** The right one, but shorter than its struct. */
        TOO_SHORT,
        /** Behind another one. */
        PRESENT
    }

    final List<String> calls = new ArrayList<>();
    final List<AddressRange> pinned = new ArrayList<>();
    Capabilities capabilities = Capabilities.PRESENT;
    long pageSizes = 0x4020_1000L;
    long mostBytes = 1L << 28;
    int versionResult;
    int infoResult;
    int startResult;
    int stopResult;
    int getResult;
    int unmapResult;

    /** A container that this answers for. */
    ContainerFd container(int fd) {
        LIBC.script(fd, this);
        return new ContainerFd(LIBC, fd);
    }

    @Override
    public int answer(long request, MemorySegment argument) {
        return switch ((int) request) {
            case Vfio.VFIO_GET_API_VERSION -> versionResult;
            case Vfio.VFIO_IOMMU_GET_INFO -> info(argument);
            case Vfio.VFIO_IOMMU_DIRTY_PAGES -> dirtyPages(argument);
            case Vfio.VFIO_IOMMU_UNMAP_DMA -> unmap(argument);
            default -> throw new AssertionError("request " + request);
        };
    }

    private int info(MemorySegment info) {
        int room = VfioIommuType1Info.ARGSZ.get(info);
        assertThat(room).isEqualTo((int) info.byteSize());
        assertThat(VfioIommuType1Info.FLAGS.get(info)).isZero();
        VfioIommuType1Info.FLAGS.set(info, Vfio.VFIO_IOMMU_INFO_PGSIZES);
        if (infoResult < 0 || capabilities == Capabilities.NONE) {
            return infoResult;
        }
        int length = HEAD + AVAILABLE + (capabilities == Capabilities.OTHER ? 0 : MIGRATION);
        length = capabilities == Capabilities.TOO_SHORT ? length - 8 : length;
        VfioIommuType1Info.FLAGS.set(info, Vfio.VFIO_IOMMU_INFO_PGSIZES | Vfio.VFIO_IOMMU_INFO_CAPS);
        if (room < length) {
            VfioIommuType1Info.ARGSZ.set(info, length);
            return 0;
        }
        VfioIommuType1Info.CAP_OFFSET.set(info, HEAD);
        MemorySegment available = info.asSlice(HEAD);
        VfioInfoCapHeader.ID.set(available, Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
        VfioInfoCapHeader.VERSION.set(available, 1);
        if (capabilities != Capabilities.OTHER) {
            VfioInfoCapHeader.NEXT.set(available, HEAD + AVAILABLE);
            MemorySegment migration = info.asSlice(HEAD + AVAILABLE);
            VfioInfoCapHeader.ID.set(migration, Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
            VfioInfoCapHeader.VERSION.set(migration, 1);
            VfioIommuType1InfoCapMigration.PGSIZE_BITMAP.set(migration, pageSizes);
            if (capabilities == Capabilities.PRESENT) {
                VfioIommuType1InfoCapMigration.MAX_DIRTY_BITMAP_SIZE.set(migration, mostBytes);
            }
        }
        return 0;
    }

    private int dirtyPages(MemorySegment argument) {
        assertThat(VfioIommuType1DirtyBitmap.ARGSZ.get(argument)).isEqualTo((int) argument.byteSize());
        int flags = VfioIommuType1DirtyBitmap.FLAGS.get(argument);
        if (flags == Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_START) {
            assertThat(argument.byteSize()).isEqualTo(8);
            calls.add("start");
            return startResult;
        }
        if (flags == Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP) {
            assertThat(argument.byteSize()).isEqualTo(8);
            calls.add("stop");
            return stopResult;
        }
        assertThat(flags).isEqualTo(Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
        assertThat(argument.byteSize()).isEqualTo(48);
        MemorySegment get = VfioIommuType1DirtyBitmap.DATA.of(argument);
        AddressRange range = new AddressRange(
                VfioIommuType1DirtyBitmapGet.IOVA.get(get), VfioIommuType1DirtyBitmapGet.SIZE.get(get));
        return report("get", range, VfioIommuType1DirtyBitmapGet.BITMAP.of(get), getResult);
    }

    private int unmap(MemorySegment argument) {
        assertThat(VfioIommuType1DmaUnmap.ARGSZ.get(argument)).isEqualTo(48);
        assertThat(argument.byteSize()).isEqualTo(48);
        assertThat(VfioIommuType1DmaUnmap.FLAGS.get(argument)).isEqualTo(Vfio.VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
        AddressRange range =
                new AddressRange(VfioIommuType1DmaUnmap.IOVA.get(argument), VfioIommuType1DmaUnmap.SIZE.get(argument));
        return report("unmap", range, VfioIommuType1DmaUnmap.DATA.of(argument), unmapResult);
    }

    private int report(String call, AddressRange range, MemorySegment bitmap, int result) {
        long pageSize = VfioBitmap.PGSIZE.get(bitmap);
        long size = VfioBitmap.SIZE.get(bitmap);
        long bits = VfioBitmap.DATA.get(bitmap);
        calls.add(call + " " + range + " by " + pageSize + " into " + size);
        if (result < 0) {
            return result;
        }
        long needed = (range.length() / pageSize + 63) / 64 * 8;
        if (pageSize != Long.lowestOneBit(pageSizes)
                || (range.start() | range.length()) % pageSize != 0
                || size < needed
                || size > mostBytes) {
            return Errno.EINVAL.negated();
        }
        // Overwrites what is there, unlike all other interfaces.
        Dirty.at(bits, size).fill((byte) 0);
        for (AddressRange each : pinned) {
            Dirty.setBits(bits, range, pageSize, each);
        }
        return 0;
    }
}
