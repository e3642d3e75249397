// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/** Mirrors {@code struct iovec} of {@code sys/uio.h}: one place of a scattered read or a gathered write. */
public final class IoVec {
    private static final Struct.Builder C = Struct.named("iovec");

    /** {@code iov_base}: the address. */
    public static final Struct.U64 IOV_BASE = C.u64("iov_base");

    /** {@code iov_len}: how many bytes. */
    public static final Struct.U64 IOV_LEN = C.u64("iov_len");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IoVec() {}
}
