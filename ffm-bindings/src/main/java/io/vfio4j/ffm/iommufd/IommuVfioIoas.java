// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_vfio_ioas} of {@code linux/iommufd.h}: says which address space answers for the container
 * when an iommufd stands in for one.
 */
public final class IommuVfioIoas {
    private static final Struct.Builder C = Struct.named("iommu_vfio_ioas");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code ioas_id}: the address space; set by {@code IOMMU_VFIO_IOAS_GET}. */
    public static final Struct.U32 IOAS_ID = C.u32("ioas_id");

    /** {@code op}: {@code IOMMU_VFIO_IOAS_*}. */
    public static final Struct.U16 OP = C.u16("op");

    /** {@code __reserved}: 0. */
    public static final Struct.U16 RESERVED = C.u16("__reserved");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuVfioIoas() {}
}
