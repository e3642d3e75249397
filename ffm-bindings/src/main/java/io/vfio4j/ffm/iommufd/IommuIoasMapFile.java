// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_ioas_map_file} of {@code linux/iommufd.h}: maps a file's memory into an address space.
 * After 6.12.
 */
public final class IommuIoasMapFile {
    private static final Struct.Builder C = Struct.named("iommu_ioas_map_file");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: {@code IOMMU_IOAS_MAP_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code ioas_id}: the address space. */
    public static final Struct.U32 IOAS_ID = C.u32("ioas_id");

    /** {@code fd}: the file, such as a memfd. */
    public static final Struct.S32 FD = C.s32("fd");

    /** {@code start}: where in the file. */
    public static final Struct.U64 START = C.u64("start");

    /** {@code length}: its length in bytes. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /**
     * {@code iova}: its address for the device; the kernel's choice on return, without
     * {@code IOMMU_IOAS_MAP_FIXED_IOVA}.
     */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasMapFile() {}
}
