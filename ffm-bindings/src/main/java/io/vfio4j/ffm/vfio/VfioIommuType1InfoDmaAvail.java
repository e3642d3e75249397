// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_iommu_type1_info_dma_avail} of {@code linux/vfio.h}: the capability that says how many
 * mappings may still be made.
 */
public final class VfioIommuType1InfoDmaAvail {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_info_dma_avail");

    /** {@code header}: the head, with id {@code VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL}. */
    public static final Struct.Bytes HEADER = C.nested("header", VfioInfoCapHeader.STRUCT);

    /** {@code avail}: how many. */
    public static final Struct.U32 AVAIL = C.u32("avail");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1InfoDmaAvail() {}
}
