// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct uffdio_register} of {@code linux/userfaultfd.h}: puts memory under a userfaultfd. */
public final class UffdioRegister {
    private static final Struct.Builder C = Struct.named("uffdio_register");

    /** {@code range}: which memory. */
    public static final Struct.Bytes RANGE = C.nested("range", UffdioRange.STRUCT);

    /** {@code mode}: {@code UFFDIO_REGISTER_MODE_*}. */
    public static final Struct.U64 MODE = C.u64("mode");

    /** {@code ioctls}: receives the ioctls that the range understands, a bit each. */
    public static final Struct.U64 IOCTLS = C.u64("ioctls");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private UffdioRegister() {}
}
