// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_iova_range} of {@code linux/vfio.h}: a range of I/O addresses, its end included. */
public final class VfioIovaRange {
    private static final Struct.Builder C = Struct.named("vfio_iova_range");

    /** {@code start}: the first address for the device. */
    public static final Struct.U64 START = C.u64("start");

    /** {@code end}: the last one. */
    public static final Struct.U64 END = C.u64("end");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioIovaRange() {}
}
