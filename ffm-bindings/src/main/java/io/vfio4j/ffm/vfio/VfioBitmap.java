// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_bitmap} of {@code linux/vfio.h}: a bitmap of dirty pages, bit 0 for the first page of the
 * request's range.
 */
public final class VfioBitmap {
    private static final Struct.Builder C = Struct.named("vfio_bitmap");

    /** {@code pgsize}: what a bit stands for, in bytes. */
    public static final Struct.U64 PGSIZE = C.u64("pgsize");

    /** {@code size}: the bitmap's length in bytes, a multiple of 8. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** {@code data}: the bitmap's address. */
    public static final Struct.U64 DATA = C.u64("data");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioBitmap() {}
}
