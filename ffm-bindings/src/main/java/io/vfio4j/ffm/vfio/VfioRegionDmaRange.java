// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_region_dma_range} of {@code linux/vfio.h}: a part of a region, for a dma-buf. */
public final class VfioRegionDmaRange {
    private static final Struct.Builder C = Struct.named("vfio_region_dma_range");

    /** {@code offset}: where it begins in the region. */
    public static final Struct.U64 OFFSET = C.u64("offset");

    /** {@code length}: its length in bytes. */
    public static final Struct.U64 LENGTH = C.u64("length");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioRegionDmaRange() {}
}
