// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_ioas_copy} of {@code linux/iommufd.h}: maps what one address space maps into another,
 * without pinning it twice.
 */
public final class IommuIoasCopy {
    private static final Struct.Builder C = Struct.named("iommu_ioas_copy");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: {@code IOMMU_IOAS_MAP_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code dst_ioas_id}: the address space to map into. */
    public static final Struct.U32 DST_IOAS_ID = C.u32("dst_ioas_id");

    /** {@code src_ioas_id}: the address space that has the memory. */
    public static final Struct.U32 SRC_IOAS_ID = C.u32("src_ioas_id");

    /** {@code length}: its length in bytes. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /**
     * {@code dst_iova}: its address in the former; the kernel's choice on return, without
     * {@code IOMMU_IOAS_MAP_FIXED_IOVA}.
     */
    public static final Struct.U64 DST_IOVA = C.u64("dst_iova");

    /** {@code src_iova}: its address in the latter. */
    public static final Struct.U64 SRC_IOVA = C.u64("src_iova");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasCopy() {}
}
