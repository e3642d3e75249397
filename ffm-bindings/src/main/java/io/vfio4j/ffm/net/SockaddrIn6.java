// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct sockaddr_in6} of {@code netinet/in.h}: the address of an IPv6 socket. */
public final class SockaddrIn6 {
    private static final Struct.Builder C = Struct.named("sockaddr_in6");

    /** {@code sin6_family}: {@code AF_INET6}. */
    public static final Struct.U16 SIN6_FAMILY = C.u16("sin6_family");

    /** {@code sin6_port}: the port, in network byte order. */
    public static final Struct.U16 SIN6_PORT = C.u16("sin6_port");

    /** {@code sin6_flowinfo}: the flow. */
    public static final Struct.U32 SIN6_FLOWINFO = C.u32("sin6_flowinfo");

    /** {@code sin6_addr}: the address, in network byte order. */
    public static final Struct.Bytes SIN6_ADDR = C.array("sin6_addr", 16, 4);

    /** {@code sin6_scope_id}: the interface of a link-local address. */
    public static final Struct.U32 SIN6_SCOPE_ID = C.u32("sin6_scope_id");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private SockaddrIn6() {}
}
