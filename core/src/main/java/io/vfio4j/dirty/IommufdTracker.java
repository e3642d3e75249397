// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuHwInfo;
import io.vfio4j.ffm.iommufd.IommuHwptAlloc;
import io.vfio4j.ffm.iommufd.IommuHwptGetDirtyBitmap;
import io.vfio4j.ffm.iommufd.IommuHwptSetDirtyTracking;
import io.vfio4j.ffm.iommufd.Iommufd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Watches what the devices behind one I/O page table write by DMA, by the IOMMU's dirty bits:
 * {@code IOMMU_HWPT_SET_DIRTY_TRACKING} and {@code IOMMU_HWPT_GET_DIRTY_BITMAP}.
 *
 * <p>The page table must have been made with {@code IOMMU_HWPT_ALLOC_DIRTY_TRACKING} ({@link #allocate}) and the
 * devices be attached to it by its id, not to the I/O address space. What is unmapped takes its dirty bits with it:
 * {@link #collectBeforeUnmap} comes first.
 *
 * <p>Watch whole mappings, a range for each. A large I/O page has one dirty bit, and to the kernel a look at a part of
 * it clears it for the rest; and at the first hole between mappings the kernel ends its look, without an error. So the
 * kernel is always asked for a whole range, and what was not wanted of it is kept for later: a part costs as much as
 * the whole. Only one may watch a page table: the kernel lets a second one start, and clears all bits then.
 */
public final class IommufdTracker extends RangeTracker {
    /** An address, and a length: one page of that size, so that it is aligned for any IOMMU. */
    private static final long UNMAPPED = 1L << 62;

    private final IommuFd iommufd;
    private final int hwptId;
    private final MemorySegment get;
    private List<AddressRange> watched = List.of();

    /** What the kernel has reported of a range and nobody has collected yet, where only a part was wanted. */
    private final Map<AddressRange, DirtyBitmap> kept = new HashMap<>();

    /**
     * Makes a tracker that does not watch yet.
     *
     * @param iommufd the iommufd, which stays the caller's
     * @param hwptId the page table's id
     */
    public IommufdTracker(IommuFd iommufd, int hwptId) {
        super(new Capability(
                "iommufd dirty tracking of page table " + hwptId,
                Set.of(Writer.DEVICE),
                false,
                "a walk over the range's I/O page table, and an IOTLB flush, per collection"));
        this.iommufd = iommufd;
        this.hwptId = hwptId;
        this.get = IommuHwptGetDirtyBitmap.STRUCT.allocate(Arena.ofAuto());
        IommuHwptGetDirtyBitmap.SIZE.set(get, (int) IommuHwptGetDirtyBitmap.STRUCT.size());
        IommuHwptGetDirtyBitmap.HWPT_ID.set(get, hwptId);
    }

    /**
     * Asks whether the IOMMU that a device is behind has dirty bits: {@code IOMMU_GET_HW_INFO}.
     *
     * @param iommufd the iommufd
     * @param deviceId the device's id in it: {@code out_devid} of the bind
     * @return whether {@code IOMMU_HW_CAP_DIRTY_TRACKING} is set; false for an emulated device, which has no IOMMU
     */
    public static boolean isSupported(IommuFd iommufd, int deviceId) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = IommuHwInfo.STRUCT.allocate(arena);
            IommuHwInfo.SIZE.set(info, (int) IommuHwInfo.STRUCT.size());
            IommuHwInfo.DEV_ID.set(info, deviceId);
            return iommufd.getHwInfo(info) >= 0
                    && (IommuHwInfo.OUT_CAPABILITIES.get(info) & Iommufd.IOMMU_HW_CAP_DIRTY_TRACKING) != 0;
        }
    }

    /**
     * Makes a page table with dirty bits for a device: {@code IOMMU_HWPT_ALLOC} with
     * {@code IOMMU_HWPT_ALLOC_DIRTY_TRACKING}.
     *
     * @param iommufd the iommufd
     * @param deviceId the device's id in it
     * @param ioasId the I/O address space that it maps
     * @return the page table's id, to attach the device to; {@code IOMMU_DESTROY} ends it
     * @throws DirtyTrackingException {@code UNSUPPORTED} where the IOMMU has no dirty bits, or the device no IOMMU
     */
    public static int allocate(IommuFd iommufd, int deviceId, int ioasId) throws DirtyTrackingException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment alloc = IommuHwptAlloc.STRUCT.allocate(arena);
            IommuHwptAlloc.SIZE.set(alloc, (int) IommuHwptAlloc.STRUCT.size());
            IommuHwptAlloc.FLAGS.set(alloc, Iommufd.IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
            IommuHwptAlloc.DEV_ID.set(alloc, deviceId);
            IommuHwptAlloc.PT_ID.set(alloc, ioasId);
            int result = iommufd.hwptAlloc(alloc);
            if (result >= 0) {
                return IommuHwptAlloc.OUT_HWPT_ID.get(alloc);
            }
            boolean lacking = Errno.EOPNOTSUPP.is(result) || Errno.ENOENT.is(result) || Errno.ENOTTY.is(result);
            throw new DirtyTrackingException(
                    lacking ? Problem.UNSUPPORTED : Problem.FAILED,
                    "iommufd dirty tracking of device " + deviceId,
                    lacking
                            ? "its IOMMU has no dirty bits, or it has no IOMMU; use another source of dirty pages"
                            : "making a page table failed",
                    result);
        }
    }

    /** The page size is that of the IOMMU's mappings; the bitmap's is free. */
    @Override
    long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException {
        int result = setTracking(Iommufd.IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
        if (Errno.ENOENT.is(result)) {
            throw failure(
                    Problem.FOREIGN,
                    "there is no such page table; make one with dirty tracking and attach the device to it",
                    result);
        }
        if (result < 0) {
            throw refused("enabling dirty tracking", result);
        }
        watched = sorted;
        return pageSizeHint;
    }

    /**
     * Adds the dirty pages of a range that is about to be unmapped: {@code IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR}, which
     * spares the IOTLB flush that the unmap will do anyway.
     *
     * @param range the range, as in {@link #collect}
     * @param into where to add
     * @return as {@link #collect}
     * @throws DirtyTrackingException as {@link #collect}
     */
    public Collected collectBeforeUnmap(AddressRange range, DirtyBitmap into) throws DirtyTrackingException {
        IommuHwptGetDirtyBitmap.FLAGS.set(get, Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
        try {
            return collect(range, into);
        } finally {
            IommuHwptGetDirtyBitmap.FLAGS.set(get, 0);
        }
    }

    @Override
    Collected report(AddressRange range, DirtyBitmap into) {
        AddressRange whole = watched.stream()
                .filter(each -> each.contains(range))
                .findFirst()
                .orElseThrow();
        DirtyBitmap rest = kept.get(whole);
        boolean asItIs =
                range.equals(whole) && ((range.start() - into.range().start()) | range.length()) % into.pageSize() == 0;
        if (asItIs && rest == null) {
            return into.filledByKernel(range, this::get);
        }
        if (rest == null) {
            rest = new DirtyBitmap(Arena.ofAuto(), whole, SMALLEST_PAGE);
            kept.put(whole, rest);
        }
        Collected collected = rest.filledByKernel(whole, this::get);
        if (!collected.reported()) {
            // What is not wanted now is dirty later, too.
            rest.mark(whole);
        }
        rest.moveTo(range, into);
        return collected;
    }

    private Collected get(long bits, AddressRange range, DirtyBitmap into) {
        IommuHwptGetDirtyBitmap.IOVA.set(get, range.start());
        IommuHwptGetDirtyBitmap.LENGTH.set(get, range.length());
        IommuHwptGetDirtyBitmap.PAGE_SIZE.set(get, into.pageSize());
        IommuHwptGetDirtyBitmap.DATA.set(get, bits);
        int result = iommufd.hwptGetDirtyBitmap(get);
        return result < 0 ? everything(range, "IOMMU_HWPT_GET_DIRTY_BITMAP", result) : Collected.REPORTED;
    }

    /**
     * Asks whether the page table has dirty bits: 0 or -errno. Looks at addresses that nobody maps, and switches
     * nothing on or off, for somebody else may be tracking.
     */
    int probe() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment probe = IommuHwptGetDirtyBitmap.STRUCT.allocate(arena);
            IommuHwptGetDirtyBitmap.SIZE.set(probe, (int) IommuHwptGetDirtyBitmap.STRUCT.size());
            IommuHwptGetDirtyBitmap.HWPT_ID.set(probe, hwptId);
            IommuHwptGetDirtyBitmap.FLAGS.set(probe, Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
            IommuHwptGetDirtyBitmap.IOVA.set(probe, UNMAPPED);
            IommuHwptGetDirtyBitmap.LENGTH.set(probe, UNMAPPED);
            IommuHwptGetDirtyBitmap.PAGE_SIZE.set(probe, UNMAPPED);
            IommuHwptGetDirtyBitmap.DATA.set(probe, arena.allocate(Long.BYTES).address());
            int result = iommufd.hwptGetDirtyBitmap(probe);
            // That nothing is mapped there may be an error to a kernel; others come before it looks.
            return Errno.EINVAL.is(result) ? 0 : result;
        }
    }

    @Override
    int end() {
        watched = List.of();
        kept.clear();
        return setTracking(0);
    }

    private int setTracking(int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment set = IommuHwptSetDirtyTracking.STRUCT.allocate(arena);
            IommuHwptSetDirtyTracking.SIZE.set(set, (int) IommuHwptSetDirtyTracking.STRUCT.size());
            IommuHwptSetDirtyTracking.FLAGS.set(set, flags);
            IommuHwptSetDirtyTracking.HWPT_ID.set(set, hwptId);
            return iommufd.hwptSetDirtyTracking(set);
        }
    }
}
