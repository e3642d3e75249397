// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_precopy_info} of {@code linux/vfio.h}: how much there is to read in PRE_COPY. */
public final class VfioPrecopyInfo {
    private static final Struct.Builder C = Struct.named("vfio_precopy_info");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_PRECOPY_INFO_*}; garbage in, garbage out before the opt-in to INFOv2, so zero it. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code initial_bytes}: what should go before leaving PRE_COPY, in bytes. */
    public static final Struct.U64 INITIAL_BYTES = C.u64("initial_bytes");

    /** {@code dirty_bytes}: what has changed since it was read, in bytes. */
    public static final Struct.U64 DIRTY_BYTES = C.u64("dirty_bytes");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioPrecopyInfo() {}
}
