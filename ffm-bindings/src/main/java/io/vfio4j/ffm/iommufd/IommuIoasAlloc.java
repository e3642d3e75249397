// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct iommu_ioas_alloc} of {@code linux/iommufd.h}: makes an I/O address space. */
public final class IommuIoasAlloc {
    private static final Struct.Builder C = Struct.named("iommu_ioas_alloc");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code out_ioas_id}: receives its id. */
    public static final Struct.U32 OUT_IOAS_ID = C.u32("out_ioas_id");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasAlloc() {}
}
