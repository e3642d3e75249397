// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_iommu_type1_dma_map} of {@code linux/vfio.h}: maps memory of this process for DMA. */
public final class VfioIommuType1DmaMap {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_dma_map");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_DMA_MAP_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code vaddr}: the memory's address in this process. */
    public static final Struct.U64 VADDR = C.u64("vaddr");

    /** {@code iova}: its address for the device. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code size}: its length in bytes. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1DmaMap() {}
}
