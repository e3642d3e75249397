// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_iommu_type1_dma_unmap} of {@code linux/vfio.h}: takes a mapping away. */
public final class VfioIommuType1DmaUnmap {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_dma_unmap");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_DMA_UNMAP_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code iova}: its address for the device. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code size}: its length in bytes; how much was unmapped on return. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** {@code data}: a bitmap, with {@code VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP}. */
    public static final Struct.Bytes DATA = C.flexible("data", 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1DmaUnmap() {}
}
