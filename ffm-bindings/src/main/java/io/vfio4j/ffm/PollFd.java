// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/** Mirrors {@code struct pollfd} of {@code poll.h}: an fd and what is waited for. */
public final class PollFd {
    private static final Struct.Builder C = Struct.named("pollfd");

    /** {@code fd}: the fd; a negative one is passed over. */
    public static final Struct.S32 FD = C.s32("fd");

    /** {@code events}: what to wait for. */
    public static final Struct.U16 EVENTS = C.u16("events");

    /** {@code revents}: what has come. */
    public static final Struct.U16 REVENTS = C.u16("revents");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private PollFd() {}
}
