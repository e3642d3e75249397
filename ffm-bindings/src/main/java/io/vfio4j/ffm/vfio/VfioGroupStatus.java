// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_group_status} of {@code linux/vfio.h}: whether all devices of a group are free to use. */
public final class VfioGroupStatus {
    private static final Struct.Builder C = Struct.named("vfio_group_status");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_GROUP_FLAGS_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioGroupStatus() {}
}
