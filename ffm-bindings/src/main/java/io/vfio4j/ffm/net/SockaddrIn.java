// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct sockaddr_in} of {@code netinet/in.h}: the address of an IPv4 socket. */
public final class SockaddrIn {
    private static final Struct.Builder C = Struct.named("sockaddr_in");

    /** {@code sin_family}: {@code AF_INET}. */
    public static final Struct.U16 SIN_FAMILY = C.u16("sin_family");

    /** {@code sin_port}: the port, in network byte order. */
    public static final Struct.U16 SIN_PORT = C.u16("sin_port");

    /** {@code sin_addr}: the address, in network byte order. */
    public static final Struct.Bytes SIN_ADDR = C.array("sin_addr", 4, 4);

    /** {@code sin_zero}: 0. */
    public static final Struct.Bytes SIN_ZERO = C.array("sin_zero", 8, 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private SockaddrIn() {}
}
