// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/** Mirrors {@code struct cmsghdr} of {@code sys/socket.h}: the head of what goes beside a message's data. */
public final class CMsgHdr {
    private static final Struct.Builder C = Struct.named("cmsghdr");

    /** {@code cmsg_len}: the length of head and data in bytes. */
    public static final Struct.U64 CMSG_LEN = C.u64("cmsg_len");

    /** {@code cmsg_level}: such as {@code SOL_SOCKET}. */
    public static final Struct.S32 CMSG_LEVEL = C.s32("cmsg_level");

    /** {@code cmsg_type}: such as {@code SCM_RIGHTS}. */
    public static final Struct.S32 CMSG_TYPE = C.s32("cmsg_type");

    /** The data behind the head. */
    public static final Struct.Bytes CMSG_DATA = C.flexible("__cmsg_data", 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private CMsgHdr() {}
}
