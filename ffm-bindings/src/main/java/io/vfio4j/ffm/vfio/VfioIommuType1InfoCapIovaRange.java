// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_iommu_type1_info_cap_iova_range} of {@code linux/vfio.h}: the capability that lists the
 * I/O addresses one may map.
 */
public final class VfioIommuType1InfoCapIovaRange {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_info_cap_iova_range");

    /** {@code header}: the head, with id {@code VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE}. */
    public static final Struct.Bytes HEADER = C.nested("header", VfioInfoCapHeader.STRUCT);

    /** {@code nr_iovas}: how many ranges. */
    public static final Struct.U32 NR_IOVAS = C.u32("nr_iovas");

    /** {@code reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("reserved");

    /** {@code iova_ranges}: the ranges, an array of {@link VfioIovaRange}. */
    public static final Struct.Bytes IOVA_RANGES = C.flexible("iova_ranges", 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1InfoCapIovaRange() {}
}
