// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct uffdio_writeprotect} of {@code linux/userfaultfd.h}: write-protects memory that is under a
 * userfaultfd, or lifts it.
 */
public final class UffdioWriteprotect {
    private static final Struct.Builder C = Struct.named("uffdio_writeprotect");

    /** {@code range}: which memory. */
    public static final Struct.Bytes RANGE = C.nested("range", UffdioRange.STRUCT);

    /** {@code mode}: {@code UFFDIO_WRITEPROTECT_MODE_*}. */
    public static final Struct.U64 MODE = C.u64("mode");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private UffdioWriteprotect() {}
}
