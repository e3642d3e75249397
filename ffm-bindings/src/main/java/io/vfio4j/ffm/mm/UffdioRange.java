// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct uffdio_range} of {@code linux/userfaultfd.h}: a range of this process's memory. */
public final class UffdioRange {
    private static final Struct.Builder C = Struct.named("uffdio_range");

    /** {@code start}: its address, a multiple of the page size. */
    public static final Struct.U64 START = C.u64("start");

    /** {@code len}: its length in bytes, a multiple of the page size. */
    public static final Struct.U64 LEN = C.u64("len");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private UffdioRange() {}
}
