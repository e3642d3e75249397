// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct sock_extended_err} of {@code linux/errqueue.h}: an entry of a socket's error queue. */
public final class SockExtendedErr {
    private static final Struct.Builder C = Struct.named("sock_extended_err");

    /** {@code ee_errno}: the errno; 0 for a completion. */
    public static final Struct.U32 EE_ERRNO = C.u32("ee_errno");

    /** {@code ee_origin}: {@code SO_EE_ORIGIN_*}. */
    public static final Struct.U8 EE_ORIGIN = C.u8("ee_origin");

    /** {@code ee_type}: the type. */
    public static final Struct.U8 EE_TYPE = C.u8("ee_type");

    /** {@code ee_code}: {@code SO_EE_CODE_*}. */
    public static final Struct.U8 EE_CODE = C.u8("ee_code");

    /** {@code ee_pad}: padding. */
    public static final Struct.U8 EE_PAD = C.u8("ee_pad");

    /** {@code ee_info}: the number of the first send that is complete. */
    public static final Struct.U32 EE_INFO = C.u32("ee_info");

    /** {@code ee_data}: the number of the last one. */
    public static final Struct.U32 EE_DATA = C.u32("ee_data");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private SockExtendedErr() {}
}
