// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Passes a file descriptor over a Unix socket ({@code SCM_RIGHTS}), so that another process can drive a VFIO device.
 *
 * <p>One byte of data goes with it, for Linux sends nothing beside an empty message.
 */
public final class FdPassing {
    /** {@code SOL_SOCKET}: the level of {@code SCM_RIGHTS}. */
    public static final int SOL_SOCKET = 1;

    /** {@code SCM_RIGHTS}: fds go beside the message. */
    public static final int SCM_RIGHTS = 1;

    /** {@code MSG_CMSG_CLOEXEC}: a received fd is closed on {@code execve}. */
    public static final int MSG_CMSG_CLOEXEC = 0x40000000;

    private static final long CONTROL_BYTES = CMsgHdr.STRUCT.size() + Long.BYTES;

    private FdPassing() {}

    /**
     * Sends an fd; the caller still owns its own.
     *
     * @param libc the system calls
     * @param socket a connected Unix socket
     * @param fd the fd to send
     * @return 0, or {@code -errno}
     */
    public static int send(LibC libc, int socket, int fd) {
        try (Arena arena = Arena.ofConfined()) {
            Message message = new Message(arena);
            CMsgHdr.CMSG_LEN.set(message.control, CMsgHdr.STRUCT.size() + Integer.BYTES);
            CMsgHdr.CMSG_LEVEL.set(message.control, SOL_SOCKET);
            CMsgHdr.CMSG_TYPE.set(message.control, SCM_RIGHTS);
            CMsgHdr.CMSG_DATA.of(message.control).set(JAVA_INT, 0, fd);
            return (int) Math.min(0, libc.sendmsg(socket, message.header, 0));
        }
    }

    /**
     * Receives an fd; the caller owns it.
     *
     * @param libc the system calls
     * @param socket a connected Unix socket
     * @return the fd, {@code -ENOMSG} when the peer has closed or its message carries no fd, or another {@code -errno}
     */
    public static int receive(LibC libc, int socket) {
        try (Arena arena = Arena.ofConfined()) {
            Message message = new Message(arena);
            long received = libc.recvmsg(socket, message.header, MSG_CMSG_CLOEXEC);
            if (received < 0) {
                return (int) received;
            }
            boolean carriesFd = MsgHdr.MSG_CONTROLLEN.get(message.header) >= CMsgHdr.STRUCT.size() + Integer.BYTES
                    && CMsgHdr.CMSG_LEVEL.get(message.control) == SOL_SOCKET
                    && CMsgHdr.CMSG_TYPE.get(message.control) == SCM_RIGHTS;
            return carriesFd ? CMsgHdr.CMSG_DATA.of(message.control).get(JAVA_INT, 0) : Errno.ENOMSG.negated();
        }
    }

    /** A message of one byte with room for one fd. */
    private static final class Message {
        final MemorySegment header;
        final MemorySegment control;

        Message(Arena arena) {
            MemorySegment data = arena.allocate(1);
            MemorySegment vector = IoVec.STRUCT.allocate(arena);
            IoVec.IOV_BASE.set(vector, data.address());
            IoVec.IOV_LEN.set(vector, 1);
            control = arena.allocate(CONTROL_BYTES, Long.BYTES).fill((byte) 0);
            header = MsgHdr.STRUCT.allocate(arena);
            MsgHdr.MSG_IOV.set(header, vector.address());
            MsgHdr.MSG_IOVLEN.set(header, 1);
            MsgHdr.MSG_CONTROL.set(header, control.address());
            MsgHdr.MSG_CONTROLLEN.set(header, CONTROL_BYTES);
        }
    }
}
