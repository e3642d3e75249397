// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_bus_master} of {@code linux/vfio.h}: allows or forbids a CDX device to
 * begin DMA.
 */
public final class VfioDeviceFeatureBusMaster {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_bus_master");

    /** {@code op}: {@code VFIO_DEVICE_FEATURE_CLEAR_MASTER} or {@code VFIO_DEVICE_FEATURE_SET_MASTER}. */
    public static final Struct.U32 OP = C.u32("op");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureBusMaster() {}
}
