// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_ioas_allow_iovas} of {@code linux/iommufd.h}: promises to map only these I/O addresses,
 * so that no device takes them away.
 */
public final class IommuIoasAllowIovas {
    private static final Struct.Builder C = Struct.named("iommu_ioas_allow_iovas");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code ioas_id}: the address space. */
    public static final Struct.U32 IOAS_ID = C.u32("ioas_id");

    /** {@code num_iovas}: how many ranges. */
    public static final Struct.U32 NUM_IOVAS = C.u32("num_iovas");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** {@code allowed_iovas}: the address of an array of {@link IommuIovaRange}. */
    public static final Struct.U64 ALLOWED_IOVAS = C.u64("allowed_iovas");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasAllowIovas() {}
}
