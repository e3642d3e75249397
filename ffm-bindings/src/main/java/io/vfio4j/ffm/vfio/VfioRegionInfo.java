// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_region_info} of {@code linux/vfio.h}: where one region lies in the device fd, and how
 * large it is.
 */
public final class VfioRegionInfo {
    private static final Struct.Builder C = Struct.named("vfio_region_info");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_REGION_INFO_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code index}: which region, set by the caller. */
    public static final Struct.U32 INDEX = C.u32("index");

    /** {@code cap_offset}: where the capability chain begins, or 0. */
    public static final Struct.U32 CAP_OFFSET = C.u32("cap_offset");

    /** {@code size}: the region's length in bytes. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** {@code offset}: its offset in the device fd, for pread and pwrite. */
    public static final Struct.U64 OFFSET = C.u64("offset");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioRegionInfo() {}
}
