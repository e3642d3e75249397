// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_iommu_type1_info} of {@code linux/vfio.h}: which page sizes a type1 container knows, and
 * its capabilities.
 */
public final class VfioIommuType1Info {
    private static final Struct.Builder C = Struct.named("vfio_iommu_type1_info");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_IOMMU_INFO_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code iova_pgsizes}: the page sizes, a bit each. */
    public static final Struct.U64 IOVA_PGSIZES = C.u64("iova_pgsizes");

    /** {@code cap_offset}: where the capability chain begins, or 0. */
    public static final Struct.U32 CAP_OFFSET = C.u32("cap_offset");

    /** {@code pad}: padding. */
    public static final Struct.U32 PAD = C.u32("pad");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIommuType1Info() {}
}
