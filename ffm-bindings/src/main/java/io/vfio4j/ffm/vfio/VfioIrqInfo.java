// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_irq_info} of {@code linux/vfio.h}: one kind of interrupt of a device, and how many there
 * are.
 */
public final class VfioIrqInfo {
    private static final Struct.Builder C = Struct.named("vfio_irq_info");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_IRQ_INFO_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code index}: which kind, set by the caller. */
    public static final Struct.U32 INDEX = C.u32("index");

    /** {@code count}: how many interrupts of this kind. */
    public static final Struct.U32 COUNT = C.u32("count");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIrqInfo() {}
}
