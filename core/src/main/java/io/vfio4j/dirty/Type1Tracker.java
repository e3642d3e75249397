// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioBitmap;
import io.vfio4j.ffm.vfio.VfioCapabilityChain;
import io.vfio4j.ffm.vfio.VfioIommuType1DirtyBitmap;
import io.vfio4j.ffm.vfio.VfioIommuType1DirtyBitmapGet;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaUnmap;
import io.vfio4j.ffm.vfio.VfioIommuType1Info;
import io.vfio4j.ffm.vfio.VfioIommuType1InfoCapMigration;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Watches what the devices of a container may have written, by its pinned pages: {@code VFIO_IOMMU_DIRTY_PAGES}.
 *
 * <p>This is no hardware tracking. A group whose driver pins pages one by one (a mediated device) has those reported
 * that are pinned or were since; with any other group, all that is mapped is reported, each time. A range of a
 * collection must not cut a mapping in two.
 */
public final class Type1Tracker extends RangeTracker {
    private final ContainerFd container;
    private final MemorySegment get;
    private long pageSize;
    private long mostBytes;

    /**
     * Makes a tracker that does not watch yet.
     *
     * @param container the container, with its IOMMU chosen, which stays the caller's
     * @param name what to call it in messages, such as the group's number
     */
    public Type1Tracker(ContainerFd container, String name) {
        super(new Capability(
                "type1 dirty pages of container " + name,
                Set.of(Writer.DEVICE),
                true,
                "a look at each mapping; reports what could have been written, not what was"));
        this.container = container;
        Arena arena = Arena.ofAuto();
        get = arena.allocate(
                VfioIommuType1DirtyBitmap.STRUCT.size() + VfioIommuType1DirtyBitmapGet.STRUCT.size(), Long.BYTES);
        VfioIommuType1DirtyBitmap.ARGSZ.set(get, (int) get.byteSize());
        VfioIommuType1DirtyBitmap.FLAGS.set(get, Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
    }

    /**
     * Asks whether a container can tell: {@code VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION} in {@code VFIO_IOMMU_GET_INFO}.
     *
     * @param container the container
     * @return whether it has the capability
     */
    public static boolean isSupported(ContainerFd container) {
        try (Arena arena = Arena.ofConfined()) {
            return migrationCapability(container, arena) != null;
        }
    }

    @Override
    long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment migration = migrationCapability(container, arena);
            if (migration == null) {
                int version = container.getApiVersion();
                if (version < 0) {
                    throw refused("asking the container", version);
                }
                throw failure(
                        Problem.UNSUPPORTED,
                        "the container cannot tell (no VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION); use another source of dirty "
                                + "pages",
                        0);
            }
            pageSize = Long.lowestOneBit(VfioIommuType1InfoCapMigration.PGSIZE_BITMAP.get(migration));
            long mostWords = VfioIommuType1InfoCapMigration.MAX_DIRTY_BITMAP_SIZE.get(migration) / Long.BYTES;
            if (pageSize <= 0 || mostWords <= 0) {
                throw failure(
                        Problem.UNSUPPORTED,
                        "the container takes no pages, or no bitmap (" + pageSize + " bytes, " + mostWords
                                + " words); use another source of dirty pages",
                        0);
            }
            mostBytes = Math.min(mostWords, Long.MAX_VALUE / Long.SIZE / pageSize) * Long.SIZE * pageSize;
        }
        for (AddressRange range : sorted) {
            requirePages(range);
        }
        int result = flag(Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
        if (result < 0) {
            throw refused("VFIO_IOMMU_DIRTY_PAGES_FLAG_START", result);
        }
        return pageSize;
    }

    private void requirePages(AddressRange range) throws DirtyTrackingException {
        if ((range.start() | range.length()) % pageSize != 0) {
            throw failure(
                    Problem.BAD_RANGE,
                    "the range " + range + " is no multiple of the container's pages of " + pageSize
                            + " bytes; align it",
                    0);
        }
    }

    @Override
    Collected report(AddressRange range, DirtyBitmap into) {
        Collected collected = Collected.REPORTED;
        long done = 0;
        while (done < range.length()) {
            long length = Math.min(mostBytes, range.length() - done);
            AddressRange part = new AddressRange(range.start() + done, length);
            collected = collected.and(reportPart(part, into));
            done += length;
        }
        return collected;
    }

    /** The kernel overwrites the bitmap that it is given, so it gets one of its own. */
    private Collected reportPart(AddressRange part, DirtyBitmap into) {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap reported = new DirtyBitmap(arena, part, pageSize);
            MemorySegment range = VfioIommuType1DirtyBitmap.DATA.of(get);
            VfioIommuType1DirtyBitmapGet.IOVA.set(range, part.start());
            VfioIommuType1DirtyBitmapGet.SIZE.set(range, part.length());
            describe(reported, VfioIommuType1DirtyBitmapGet.BITMAP.of(range));
            int result = container.dirtyPages(get);
            if (result < 0) {
                return everything(part, "VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP", result);
            }
            into.or(reported);
            return Collected.REPORTED;
        }
    }

    /**
     * Unmaps a range and adds what was dirty in it: {@code VFIO_IOMMU_UNMAP_DMA} with
     * {@code VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP}.
     *
     * @param range what to unmap, of whole mappings
     * @param into where to add; what of the range it does not cover is not reported
     * @throws DirtyTrackingException {@code NOT_STARTED}, {@code BAD_RANGE} for parts of pages, or {@code FAILED} when
     *     it could not be unmapped
     */
    public void unmap(AddressRange range, DirtyBitmap into) throws DirtyTrackingException {
        requireStarted();
        requirePages(range);
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap reported = new DirtyBitmap(arena, range, pageSize);
            MemorySegment unmap =
                    arena.allocate(VfioIommuType1DmaUnmap.STRUCT.size() + VfioBitmap.STRUCT.size(), Long.BYTES);
            VfioIommuType1DmaUnmap.ARGSZ.set(unmap, (int) unmap.byteSize());
            VfioIommuType1DmaUnmap.FLAGS.set(unmap, Vfio.VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
            VfioIommuType1DmaUnmap.IOVA.set(unmap, range.start());
            VfioIommuType1DmaUnmap.SIZE.set(unmap, range.length());
            describe(reported, VfioIommuType1DmaUnmap.DATA.of(unmap));
            int result = container.unmapDma(unmap);
            if (result < 0) {
                throw failure(
                        Problem.FAILED,
                        "unmapping " + range + " failed; name whole mappings, as they were mapped",
                        result);
            }
            into.or(reported);
        }
    }

    @Override
    int end() {
        return flag(Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
    }

    private int flag(int flag) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = VfioIommuType1DirtyBitmap.STRUCT.allocate(arena);
            VfioIommuType1DirtyBitmap.ARGSZ.set(argument, (int) argument.byteSize());
            VfioIommuType1DirtyBitmap.FLAGS.set(argument, flag);
            return container.dirtyPages(argument);
        }
    }

    private static void describe(DirtyBitmap bitmap, MemorySegment to) {
        VfioBitmap.PGSIZE.set(to, bitmap.pageSize());
        VfioBitmap.SIZE.set(to, bitmap.memory().byteSize());
        VfioBitmap.DATA.set(to, bitmap.memory().address());
    }

    private static @Nullable MemorySegment migrationCapability(ContainerFd container, Arena arena) {
        MemorySegment head = VfioIommuType1Info.STRUCT.allocate(arena);
        VfioIommuType1Info.ARGSZ.set(head, (int) head.byteSize());
        if (container.getInfo(head) < 0 || VfioIommuType1Info.ARGSZ.get(head) <= head.byteSize()) {
            return null;
        }
        MemorySegment info = arena.allocate(VfioIommuType1Info.ARGSZ.get(head), Long.BYTES);
        VfioIommuType1Info.ARGSZ.set(info, (int) info.byteSize());
        if (container.getInfo(info) < 0 || (VfioIommuType1Info.FLAGS.get(info) & Vfio.VFIO_IOMMU_INFO_CAPS) == 0) {
            return null;
        }
        return VfioCapabilityChain.of(info, VfioIommuType1Info.CAP_OFFSET.get(info))
                .find(Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, VfioIommuType1InfoCapMigration.STRUCT.size())
                .orElse(null);
    }
}
