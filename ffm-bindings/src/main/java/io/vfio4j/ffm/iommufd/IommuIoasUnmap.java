// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct iommu_ioas_unmap} of {@code linux/iommufd.h}: takes mappings away. */
public final class IommuIoasUnmap {
    private static final Struct.Builder C = Struct.named("iommu_ioas_unmap");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code ioas_id}: the address space. */
    public static final Struct.U32 IOAS_ID = C.u32("ioas_id");

    /** {@code iova}: the first address for the device. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code length}: the length in bytes; how much was unmapped on return. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasUnmap() {}
}
