// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_dma_logging_report} of {@code linux/vfio.h}: reads and clears the log of a
 * range.
 */
public final class VfioDeviceFeatureDmaLoggingReport {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_dma_logging_report");

    /** {@code iova}: the first address for the device; bit 0 of the bitmap stands for its page. */
    public static final Struct.U64 IOVA = C.u64("iova");

    /** {@code length}: the range's length in bytes, within one range that logging was started with. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /**
     * {@code page_size}: what a bit stands for, in bytes: a power of two from 4096, whatever logging was started with.
     */
    public static final Struct.U64 PAGE_SIZE = C.u64("page_size");

    /**
     * {@code bitmap}: the bitmap's address, little-endian 64-bit words; bits are only ever set, so the caller zeroes
     * it.
     */
    public static final Struct.U64 BITMAP = C.u64("bitmap");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureDmaLoggingReport() {}
}
