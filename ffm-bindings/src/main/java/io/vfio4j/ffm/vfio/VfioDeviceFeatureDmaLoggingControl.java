// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_dma_logging_control} of {@code linux/vfio.h}: begins DMA logging of some
 * ranges.
 */
public final class VfioDeviceFeatureDmaLoggingControl {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_dma_logging_control");

    /** {@code page_size}: the page size wished for, in bytes; what the device tracks by on return. */
    public static final Struct.U64 PAGE_SIZE = C.u64("page_size");

    /** {@code num_ranges}: how many ranges; more than 256 fail with {@code E2BIG}. */
    public static final Struct.U32 NUM_RANGES = C.u32("num_ranges");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** {@code ranges}: the address of an array of {@link VfioDeviceFeatureDmaLoggingRange}. */
    public static final Struct.U64 RANGES = C.u64("ranges");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureDmaLoggingControl() {}
}
