// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_ioeventfd} of {@code linux/vfio.h}: writes a value to a region whenever an eventfd
 * is signalled.
 */
public final class VfioDeviceIoeventfd {
    private static final Struct.Builder C = Struct.named("vfio_device_ioeventfd");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: the width of the write, {@code VFIO_DEVICE_IOEVENTFD_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code offset}: where to write, in the device fd. */
    public static final Struct.U64 OFFSET = C.u64("offset");

    /** {@code data}: what to write. */
    public static final Struct.U64 DATA = C.u64("data");

    /** {@code fd}: the eventfd; -1 takes it away. */
    public static final Struct.S32 FD = C.s32("fd");

    /** {@code reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("reserved");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceIoeventfd() {}
}
