// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_ioas_map} of {@code linux/iommufd.h}: maps memory of this process into an address space.
 */
public final class IommuIoasMap {
    private static final Struct.Builder C = Struct.named("iommu_ioas_map");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: {@code IOMMU_IOAS_MAP_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code ioas_id}: the address space. */
    public static final Struct.U32 IOAS_ID = C.u32("ioas_id");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** {@code user_va}: the memory's address in this process. */
    public static final Struct.U64 USER_VA = C.u64("user_va");

    /** {@code length}: its length in bytes. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /**
     * {@code iova}: its address for the device; the kernel's choice on return, without
     * {@code IOMMU_IOAS_MAP_FIXED_IOVA}.
     */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasMap() {}
}
