// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import io.vfio4j.ffm.CMsgHdr;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.MsgHdr;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * Reads from a socket's error queue which sends with {@link Sockets#MSG_ZEROCOPY} are complete, so that their memory
 * may change again.
 *
 * <p>The kernel numbers such sends of a socket from 0 on, those that failed left out. Over TCP it completes several at
 * once, as a rule in their order. Nothing is allocated per call. For one thread.
 */
public final class ZeroCopyCompletions {
    // Room for the entry, and for the address of the offender, which goes with it on other entries.
    private static final long CONTROL_BYTES = 128;

    private final MemorySegment message;
    private final MemorySegment control;
    private final MemorySegment entry;

    /**
     * Allocates what one call of the kernel needs.
     *
     * @param allocator where from; its lifetime is this object's
     */
    public ZeroCopyCompletions(SegmentAllocator allocator) {
        message = MsgHdr.STRUCT.allocate(allocator);
        control = allocator.allocate(CONTROL_BYTES, CMsgHdr.STRUCT.alignment()).fill((byte) 0);
        entry = CMsgHdr.CMSG_DATA.of(control);
        MsgHdr.MSG_CONTROL.set(message, control.address());
    }

    /**
     * Takes the next completion from the queue; it does not wait. {@code poll(2)} reports {@code POLLERR} when there is
     * one.
     *
     * @param socket the socket
     * @return 1 when there was one, 0 when there is none now, or {@code -errno}; {@code -ENOMSG} for an entry of
     *     another kind, which is taken from the queue
     */
    public int next(SocketFd socket) {
        MsgHdr.MSG_CONTROLLEN.set(message, CONTROL_BYTES);
        long received = socket.receive(message, Sockets.MSG_ERRQUEUE);
        if (received < 0) {
            return Errno.EAGAIN.is(received) ? 0 : (int) received;
        }
        return isCompletion() ? 1 : Errno.ENOMSG.negated();
    }

    /**
     * Returns the first send that the last completion is about.
     *
     * @return its number, modulo 2³²
     */
    public int first() {
        return SockExtendedErr.EE_INFO.get(entry);
    }

    /**
     * Returns the last send that the last completion is about.
     *
     * @return its number, modulo 2³²
     */
    public int last() {
        return SockExtendedErr.EE_DATA.get(entry);
    }

    /**
     * Tells whether the kernel copied after all, as it does on the loopback: then {@code MSG_ZEROCOPY} costs more than
     * it saves.
     *
     * @return whether it copied
     */
    public boolean copied() {
        return (SockExtendedErr.EE_CODE.get(entry) & Sockets.SO_EE_CODE_ZEROCOPY_COPIED) != 0;
    }

    private boolean isCompletion() {
        return MsgHdr.MSG_CONTROLLEN.get(message) >= CMsgHdr.STRUCT.size() + SockExtendedErr.STRUCT.size()
                && isOfErrorQueue(CMsgHdr.CMSG_LEVEL.get(control), CMsgHdr.CMSG_TYPE.get(control))
                && SockExtendedErr.EE_ERRNO.get(entry) == 0
                && SockExtendedErr.EE_ORIGIN.get(entry) == Sockets.SO_EE_ORIGIN_ZEROCOPY;
    }

    private static boolean isOfErrorQueue(int level, int type) {
        return level == Sockets.SOL_IP
                ? type == Sockets.IP_RECVERR
                : level == Sockets.SOL_IPV6 && type == Sockets.IPV6_RECVERR;
    }
}
