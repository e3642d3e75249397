// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MsgHdr;
import java.lang.foreign.MemorySegment;

/**
 * A socket.
 *
 * <p>Each method is one system call and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record SocketFd(LibC libc, int fd) {
    /**
     * {@code connect(2)}.
     *
     * @param address the peer's address, see {@link Sockets#address}
     * @return 0, or {@code -errno}
     */
    public int connect(MemorySegment address) {
        return libc.connect(fd, address);
    }

    /**
     * {@code shutdown(2)}.
     *
     * @param how {@link LibC#SHUT_RD} or {@link LibC#SHUT_RDWR}
     * @return 0, or {@code -errno}
     */
    public int shutdown(int how) {
        return libc.shutdown(fd, how);
    }

    /**
     * {@code setsockopt(2)}.
     *
     * @param level such as {@link Sockets#SOL_SOCKET}
     * @param option such as {@link Sockets#SO_ZEROCOPY}
     * @param value the value, all of it
     * @return 0, or {@code -errno}
     */
    public int setOption(int level, int option, MemorySegment value) {
        return libc.setsockopt(fd, level, option, value);
    }

    /**
     * {@code getsockopt(2)}.
     *
     * @param level such as {@link Sockets#SOL_SOCKET}
     * @param option such as {@link Sockets#SO_SNDBUF}
     * @param value receives the value
     * @param length the room for the value in bytes, 4 bytes; the value's length on return
     * @return 0, or {@code -errno}
     */
    public int getOption(int level, int option, MemorySegment value, MemorySegment length) {
        return libc.getsockopt(fd, level, option, value, length);
    }

    /**
     * {@code sendmsg(2)}.
     *
     * @param message a {@link MsgHdr}
     * @param flags such as {@link Sockets#MSG_ZEROCOPY}
     * @return the number of bytes sent, or {@code -errno}; {@code -ENOBUFS} where too much without a copy is under way
     */
    public long send(MemorySegment message, int flags) {
        return libc.sendmsg(fd, message, flags);
    }

    /**
     * {@code recvmsg(2)}.
     *
     * @param message a {@link MsgHdr}
     * @param flags such as {@link Sockets#MSG_ERRQUEUE}
     * @return the number of bytes received, 0 at the end, or {@code -errno}
     */
    public long receive(MemorySegment message, int flags) {
        return libc.recvmsg(fd, message, flags);
    }

    /**
     * {@code SIOCOUTQ}: how much of what was sent the peer has not acknowledged.
     *
     * @param bytes receives the number of bytes, 4 bytes
     * @return 0, or {@code -errno}
     */
    public int outQueue(MemorySegment bytes) {
        return libc.ioctl(fd, Sockets.SIOCOUTQ, bytes);
    }
}
