// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_dma_buf} of {@code linux/vfio.h}: makes a dma-buf of parts of a region; the
 * call returns its fd. After 6.12.
 */
public final class VfioDeviceFeatureDmaBuf {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_dma_buf");

    /** {@code region_index}: which region. */
    public static final Struct.U32 REGION_INDEX = C.u32("region_index");

    /** {@code open_flags}: {@code O_*} of the fd. */
    public static final Struct.U32 OPEN_FLAGS = C.u32("open_flags");

    /** {@code flags}: 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code nr_ranges}: how many parts. */
    public static final Struct.U32 NR_RANGES = C.u32("nr_ranges");

    /** {@code dma_ranges}: the parts, an array of {@link VfioRegionDmaRange}. */
    public static final Struct.Bytes DMA_RANGES = C.flexible("dma_ranges", 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureDmaBuf() {}
}
