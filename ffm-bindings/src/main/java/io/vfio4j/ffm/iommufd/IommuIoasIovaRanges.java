// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct iommu_ioas_iova_ranges} of {@code linux/iommufd.h}: which I/O addresses one may map. */
public final class IommuIoasIovaRanges {
    private static final Struct.Builder C = Struct.named("iommu_ioas_iova_ranges");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code ioas_id}: the address space. */
    public static final Struct.U32 IOAS_ID = C.u32("ioas_id");

    /**
     * {@code num_iovas}: how many ranges there is room for; how many there are on return. Too little room fails with
     * {@code EMSGSIZE}.
     */
    public static final Struct.U32 NUM_IOVAS = C.u32("num_iovas");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** {@code allowed_iovas}: the address of an array of {@link IommuIovaRange} to fill. */
    public static final Struct.U64 ALLOWED_IOVAS = C.u64("allowed_iovas");

    /** {@code out_iova_alignment}: receives what addresses must be multiples of, in bytes. */
    public static final Struct.U64 OUT_IOVA_ALIGNMENT = C.u64("out_iova_alignment");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasIovaRanges() {}
}
