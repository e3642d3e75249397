// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct uffdio_api} of {@code linux/userfaultfd.h}: agrees with the kernel on what a userfaultfd does;
 * its first call.
 */
public final class UffdioApi {
    private static final Struct.Builder C = Struct.named("uffdio_api");

    /** {@code api}: {@code UFFD_API}. */
    public static final Struct.U64 API = C.u64("api");

    /** {@code features}: {@code UFFD_FEATURE_*} wished for; all that the kernel has on return. */
    public static final Struct.U64 FEATURES = C.u64("features");

    /** {@code ioctls}: receives the ioctls that the fd understands, a bit each. */
    public static final Struct.U64 IOCTLS = C.u64("ioctls");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private UffdioApi() {}
}
