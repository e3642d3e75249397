// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_hwpt_get_dirty_bitmap} of {@code linux/iommufd.h}: reads, and by default clears, the
 * dirty bits of a page table.
 */
public final class IommuHwptGetDirtyBitmap {
    private static final Struct.Builder C = Struct.named("iommu_hwpt_get_dirty_bitmap");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code hwpt_id}: the page table. */
    public static final Struct.U32 HWPT_ID = C.u32("hwpt_id");

    /** {@code flags}: {@code IOMMU_HWPT_GET_DIRTY_BITMAP_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** {@code iova}: the first address for the device; bit 0 of the bitmap stands for its page. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code length}: the range's length in bytes. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /** {@code page_size}: what a bit stands for, in bytes. */
    public static final Struct.U64 PAGE_SIZE = C.u64("page_size");

    /** {@code data}: the bitmap's address; bits are only ever set, so the caller zeroes it. */
    public static final Struct.U64 DATA = C.u64("data");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuHwptGetDirtyBitmap() {}
}
