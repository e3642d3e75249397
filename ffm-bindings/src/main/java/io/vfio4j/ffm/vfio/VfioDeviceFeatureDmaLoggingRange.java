// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_dma_logging_range} of {@code linux/vfio.h}: a range of I/O addresses to
 * log.
 */
public final class VfioDeviceFeatureDmaLoggingRange {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_dma_logging_range");

    /** {@code iova}: the first address for the device, a multiple of the page size. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code length}: its length in bytes, a multiple of the page size. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureDmaLoggingRange() {}
}
