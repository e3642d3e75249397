// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/** Mirrors {@code struct msghdr} of {@code sys/socket.h}: a message with its data and what goes beside it. */
public final class MsgHdr {
    private static final Struct.Builder C = Struct.named("msghdr");

    /** {@code msg_name}: the peer's address, or 0. */
    public static final Struct.U64 MSG_NAME = C.u64("msg_name");

    /** {@code msg_namelen}: the address' length. */
    public static final Struct.U32 MSG_NAMELEN = C.u32("msg_namelen");

    /** {@code msg_iov}: the data, an array of {@link IoVec}. */
    public static final Struct.U64 MSG_IOV = C.u64("msg_iov");

    /** {@code msg_iovlen}: how many elements. */
    public static final Struct.U64 MSG_IOVLEN = C.u64("msg_iovlen");

    /** {@code msg_control}: what goes beside the data, such as {@link CMsgHdr} with fds. */
    public static final Struct.U64 MSG_CONTROL = C.u64("msg_control");

    /** {@code msg_controllen}: its length in bytes. */
    public static final Struct.U64 MSG_CONTROLLEN = C.u64("msg_controllen");

    /** {@code msg_flags}: what {@code recvmsg} says of the message. */
    public static final Struct.S32 MSG_FLAGS = C.s32("msg_flags");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private MsgHdr() {}
}
