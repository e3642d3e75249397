// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_iommu_type1_dirty_bitmap} of {@code linux/vfio.h}: starts, stops or reads the dirty page
 * tracking of a type1 container.
 */
public final class VfioIommuType1DirtyBitmap {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_dirty_bitmap");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: one {@code VFIO_IOMMU_DIRTY_PAGES_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code data}: a {@link VfioIommuType1DirtyBitmapGet}, with {@code VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP}. */
    public static final Struct.Bytes DATA = C.flexible("data", 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1DirtyBitmap() {}
}
