// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_iommu_type1_dirty_bitmap_get} of {@code linux/vfio.h}: which range's dirty pages to read,
 * and to where.
 */
public final class VfioIommuType1DirtyBitmapGet {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_dirty_bitmap_get");

    /** {@code iova}: the first address for the device. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code size}: the range's length in bytes. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** {@code bitmap}: the bitmap. */
    public static final Struct.Bytes BITMAP = C.nested("bitmap", VfioBitmap.STRUCT);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1DirtyBitmapGet() {}
}
