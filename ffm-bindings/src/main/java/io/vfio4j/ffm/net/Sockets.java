// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteOrder;

/** The constants of sockets, under their C names, and their addresses. */
public final class Sockets {
    /** Level: options of every socket. */
    public static final int SOL_SOCKET = 1;

    /** Level of what comes from IPv4's error queue. */
    public static final int SOL_IP = 0;

    /** Level of what comes from IPv6's error queue. */
    public static final int SOL_IPV6 = 41;

    /** Level: options of TCP. */
    public static final int IPPROTO_TCP = 6;

    /** Option of every socket: its type, such as {@link LibC#SOCK_STREAM}. */
    public static final int SO_TYPE = 3;

    /** Option of every socket: the error of a connection attempt. */
    public static final int SO_ERROR = 4;

    /** Option of every socket: how much it keeps of what is sent, in bytes. */
    public static final int SO_SNDBUF = 7;

    /** Option of every socket: how much it keeps of what is received, in bytes. */
    public static final int SO_RCVBUF = 8;

    /** Option of every socket: allows {@link #MSG_ZEROCOPY}. */
    public static final int SO_ZEROCOPY = 60;

    /** Option of TCP: sends at once, however little it is. */
    public static final int TCP_NODELAY = 1;

    /** IPv4: an entry of the error queue. */
    public static final int IP_RECVERR = 11;

    /** IPv6: an entry of the error queue. */
    public static final int IPV6_RECVERR = 25;

    /** Message flag: what is received stays there to be received again. */
    public static final int MSG_PEEK = 0x2;

    /** Message flag: what goes beside the message was cut short. */
    public static final int MSG_CTRUNC = 0x8;

    /** Message flag: the message was cut short. */
    public static final int MSG_TRUNC = 0x20;

    /** Message flag: does not wait. */
    public static final int MSG_DONTWAIT = 0x40;

    /** Message flag: receives from the error queue, never waiting. */
    public static final int MSG_ERRQUEUE = 0x2000;

    /** Message flag: a peer that is gone is an error, not a signal. */
    public static final int MSG_NOSIGNAL = 0x4000;

    /** Message flag: sends from the caller's pages, which must stay as they are until the send's completion. */
    public static final int MSG_ZEROCOPY = 0x4000000;

    /** The entry of the error queue is a completion of sends with {@link #MSG_ZEROCOPY}. */
    public static final int SO_EE_ORIGIN_ZEROCOPY = 5;

    /** The kernel copied after all. */
    public static final int SO_EE_CODE_ZEROCOPY_COPIED = 1;

    /** Asks how many bytes were sent that the peer has not acknowledged. */
    public static final int SIOCOUTQ = 0x5411;

    private Sockets() {}

    /**
     * Writes an address as {@code connect(2)} wants it.
     *
     * @param address the address, resolved
     * @param allocator where from
     * @return a {@link SockaddrIn} or {@link SockaddrIn6}, by the kind of address
     */
    public static MemorySegment address(InetSocketAddress address, SegmentAllocator allocator) {
        InetAddress host = address.getAddress();
        if (host == null) {
            throw new IllegalArgumentException("not resolved: " + address);
        }
        MemorySegment bytes = MemorySegment.ofArray(host.getAddress());
        if (host instanceof Inet6Address six) {
            MemorySegment to = SockaddrIn6.STRUCT.allocate(allocator);
            SockaddrIn6.SIN6_FAMILY.set(to, LibC.AF_INET6);
            SockaddrIn6.SIN6_PORT.set(to, networkOrder(address.getPort()));
            MemorySegment.copy(bytes, 0, SockaddrIn6.SIN6_ADDR.of(to), 0, bytes.byteSize());
            SockaddrIn6.SIN6_SCOPE_ID.set(to, six.getScopeId());
            return to;
        }
        MemorySegment to = SockaddrIn.STRUCT.allocate(allocator);
        SockaddrIn.SIN_FAMILY.set(to, LibC.AF_INET);
        SockaddrIn.SIN_PORT.set(to, networkOrder(address.getPort()));
        MemorySegment.copy(bytes, 0, SockaddrIn.SIN_ADDR.of(to), 0, bytes.byteSize());
        return to;
    }

    private static int networkOrder(int port) {
        return ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? Short.reverseBytes((short) port) : port;
    }
}
