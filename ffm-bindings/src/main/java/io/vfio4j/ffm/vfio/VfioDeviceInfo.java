// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_info} of {@code linux/vfio.h}: what kind of device it is, with how many regions and
 * interrupts.
 */
public final class VfioDeviceInfo {
    private static final Struct.Builder C = Struct.named("vfio_device_info");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_DEVICE_FLAGS_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code num_regions}: how many regions. */
    public static final Struct.U32 NUM_REGIONS = C.u32("num_regions");

    /** {@code num_irqs}: how many kinds of interrupt. */
    public static final Struct.U32 NUM_IRQS = C.u32("num_irqs");

    /** {@code cap_offset}: where the capability chain begins, or 0. */
    public static final Struct.U32 CAP_OFFSET = C.u32("cap_offset");

    /** {@code pad}: padding. */
    public static final Struct.U32 PAD = C.u32("pad");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceInfo() {}
}
