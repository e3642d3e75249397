// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_region_info_cap_sparse_mmap} of {@code linux/vfio.h}: the capability that lists the parts
 * of a region that can be mapped.
 */
public final class VfioRegionInfoCapSparseMmap {
    private static final Struct.Builder C = Struct.named("vfio_region_info_cap_sparse_mmap");

    /** {@code header}: the head, with id {@code VFIO_REGION_INFO_CAP_SPARSE_MMAP}. */
    public static final Struct.Bytes HEADER = C.nested("header", VfioInfoCapHeader.STRUCT);

    /** {@code nr_areas}: how many parts. */
    public static final Struct.U32 NR_AREAS = C.u32("nr_areas");

    /** {@code reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("reserved");

    /** {@code areas}: the parts, an array of {@link VfioRegionSparseMmapArea}. */
    public static final Struct.Bytes AREAS = C.flexible("areas", 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioRegionInfoCapSparseMmap() {}
}
