// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_low_power_entry_with_wakeup} of {@code linux/vfio.h}: lets a device fall asleep,
 * and says how it wakes its owner.
 */
public final class VfioDeviceLowPowerEntryWithWakeup {
    private static final Struct.Builder C = Struct.named("vfio_device_low_power_entry_with_wakeup");

    /** {@code wakeup_eventfd}: the eventfd to signal. */
    public static final Struct.S32 WAKEUP_EVENTFD = C.s32("wakeup_eventfd");

    /** {@code reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("reserved");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceLowPowerEntryWithWakeup() {}
}
