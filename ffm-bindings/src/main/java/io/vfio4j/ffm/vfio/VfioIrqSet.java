// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_irq_set} of {@code linux/vfio.h}: sets up, masks, unmasks or triggers interrupts. */
public final class VfioIrqSet {
    private static final Struct.Builder C = Struct.named("vfio_irq_set");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: one {@code VFIO_IRQ_SET_DATA_*} and one {@code VFIO_IRQ_SET_ACTION_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code index}: which kind. */
    public static final Struct.U32 INDEX = C.u32("index");

    /** {@code start}: the first interrupt of that kind. */
    public static final Struct.U32 START = C.u32("start");

    /** {@code count}: how many; 0 with {@code DATA_NONE} and {@code ACTION_TRIGGER} turns the kind off. */
    public static final Struct.U32 COUNT = C.u32("count");

    /** {@code data}: nothing, a byte each, or an eventfd each ({@code int}; -1 takes it away). */
    public static final Struct.Bytes DATA = C.flexible("data", 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIrqSet() {}
}
