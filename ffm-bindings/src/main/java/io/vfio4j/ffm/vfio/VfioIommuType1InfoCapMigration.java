// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_iommu_type1_info_cap_migration} of {@code linux/vfio.h}: the capability that says how a
 * type1 container tracks dirty pages.
 */
public final class VfioIommuType1InfoCapMigration {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_info_cap_migration");

    /** {@code header}: the head, with id {@code VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION}. */
    public static final Struct.Bytes HEADER = C.nested("header", VfioInfoCapHeader.STRUCT);

    /** {@code flags}: 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code pgsize_bitmap}: the page sizes of dirty bitmaps, a bit each. */
    public static final Struct.U64 PGSIZE_BITMAP = C.u64("pgsize_bitmap");

    /** {@code max_dirty_bitmap_size}: the longest bitmap, in bytes. */
    public static final Struct.U64 MAX_DIRTY_BITMAP_SIZE = C.u64("max_dirty_bitmap_size");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1InfoCapMigration() {}
}
