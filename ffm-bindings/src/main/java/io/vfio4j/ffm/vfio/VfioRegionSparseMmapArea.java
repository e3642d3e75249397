// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_region_sparse_mmap_area} of {@code linux/vfio.h}: a part of a region that can be mapped.
 */
public final class VfioRegionSparseMmapArea {
    private static final Struct.Builder C = Struct.named("vfio_region_sparse_mmap_area");

    /** {@code offset}: where it begins in the region. */
    public static final Struct.U64 OFFSET = C.u64("offset");

    /** {@code size}: its length in bytes. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioRegionSparseMmapArea() {}
}
