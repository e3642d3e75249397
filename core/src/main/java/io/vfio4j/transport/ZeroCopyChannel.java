// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.IoVec;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MsgHdr;
import io.vfio4j.ffm.PollFd;
import io.vfio4j.ffm.net.SocketFd;
import io.vfio4j.ffm.net.Sockets;
import io.vfio4j.ffm.net.ZeroCopyCompletions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.time.Duration;

/**
 * A TCP connection that can be written to without a copy: {@code MSG_ZEROCOPY}.
 *
 * <p>The kernel sends from the pages of the caller, and says by the socket's error queue when it has no more use for
 * them. On the loopback it copies all the same.
 */
final class ZeroCopyChannel extends FdChannel {
    private final LibC libc;
    private final ZeroCopyCompletions completions;
    private final MemorySegment vector;
    private final MemorySegment message;
    private final MemorySegment errors;
    private long sends;
    private long completed;

    private ZeroCopyChannel(LibC libc, SocketFd socket) {
        super(libc, socket);
        Arena arena = Arena.ofAuto();
        this.libc = libc;
        this.completions = new ZeroCopyCompletions(arena);
        this.vector = IoVec.STRUCT.allocate(arena);
        this.message = MsgHdr.STRUCT.allocate(arena);
        MsgHdr.MSG_IOV.set(message, vector.address());
        MsgHdr.MSG_IOVLEN.set(message, 1);
        // Completions are reported whatever is asked for.
        this.errors = PollFd.STRUCT.allocate(arena);
        PollFd.FD.set(errors, socket.fd());
    }

    static ZeroCopyChannel connect(LibC libc, InetSocketAddress address, Duration limit) throws IOException {
        if (address.isUnresolved()) {
            throw new UnknownHostException(address.getHostString());
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment to = Sockets.address(address, arena);
            // What both kinds of address begin with is their family.
            int family = to.get(JAVA_SHORT, 0);
            int fd = libc.socket(family, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC | LibC.SOCK_NONBLOCK, 0);
            require(fd, "socket");
            SocketFd socket = new SocketFd(libc, fd);
            boolean connected = false;
            try {
                MemorySegment one = arena.allocateFrom(JAVA_INT, 1);
                require(socket.setOption(Sockets.SOL_SOCKET, Sockets.SO_ZEROCOPY, one), "MSG_ZEROCOPY");
                sendAtOnce(socket);
                int result = socket.connect(to);
                if (Errno.EINPROGRESS.is(result)) {
                    result = awaitConnected(libc, socket, limit, arena);
                }
                if (Errno.ECONNREFUSED.is(result)) {
                    throw new ConnectException("Connection refused");
                }
                require(result, "connect");
                connected = true;
                return new ZeroCopyChannel(libc, socket);
            } finally {
                if (!connected) {
                    libc.close(fd);
                }
            }
        }
    }

    private static void require(int result, String what) throws IOException {
        if (result < 0) {
            throw new IOException(what + ": " + Errno.describe(result));
        }
    }

    /** Returns what became of it: 0, or {@code -errno}. */
    private static int awaitConnected(LibC libc, SocketFd socket, Duration limit, Arena arena) throws IOException {
        MemorySegment poll = PollFd.STRUCT.allocate(arena);
        PollFd.FD.set(poll, socket.fd());
        PollFd.EVENTS.set(poll, LibC.POLLOUT);
        long deadline = System.nanoTime() + limit.toNanos();
        int ready = 0;
        while (ready <= 0) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                throw new SocketTimeoutException();
            }
            // 0 would not wait at all.
            ready = libc.poll(poll, 1, (int) Math.min(Integer.MAX_VALUE, left / 1_000_000 + 1));
            if (ready < 0 && !Errno.EINTR.is(ready)) {
                return ready;
            }
        }
        MemorySegment error = arena.allocate(JAVA_INT);
        int result = socket.getOption(
                Sockets.SOL_SOCKET, Sockets.SO_ERROR, error, arena.allocateFrom(JAVA_INT, (int) error.byteSize()));
        return result < 0 ? result : -error.get(JAVA_INT, 0);
    }

    /**
     * Writes some of a buffer, whose memory stays as it is until {@link #completed} has come up to {@link #sends}. One
     * thread.
     */
    void writeInPlace(ByteBuffer from) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(from);
        IoVec.IOV_BASE.set(vector, memory.address());
        IoVec.IOV_LEN.set(vector, memory.byteSize());
        enter();
        try {
            boolean copies = false;
            long result = send(false);
            while (result < 0) {
                if (Errno.ENOBUFS.is(result)) {
                    // Too much is under way without a copy, here or in other sockets.
                    copies = sends == completed;
                    awaitCompletion();
                    takeCompletions();
                } else if (!isToWriteAgain(result)) {
                    break;
                }
                result = send(copies);
            }
            advance(from, result);
            if (!copies) {
                sends++;
            }
        } finally {
            leave();
        }
    }

    /** A completion that nobody takes would end every wait for room at once. */
    @Override
    void beforeRoomIsAwaited() throws IOException {
        takeCompletions();
    }

    private long send(boolean copies) {
        return socket().send(message, copies ? Sockets.MSG_NOSIGNAL : Sockets.MSG_NOSIGNAL | Sockets.MSG_ZEROCOPY);
    }

    /** How many sends without a copy there have been. */
    long sends() {
        return sends;
    }

    /** How many of them the kernel is done with. The thread that writes; does not wait. */
    long completed() throws IOException {
        enter();
        try {
            takeCompletions();
        } finally {
            leave();
        }
        return completed;
    }

    /** Waits until the kernel is done with that many. The thread that writes; whoever closes the channel ends it. */
    void awaitCompleted(long count) throws IOException {
        enter();
        try {
            takeCompletions();
            while (completed < count) {
                awaitCompletion();
                takeCompletions();
            }
        } finally {
            leave();
        }
    }

    private void awaitCompletion() throws IOException {
        if (sends > completed) {
            int ready = libc.poll(errors, 1, -1);
            if (!isOpen()) {
                throw new AsynchronousCloseException();
            }
            if (ready > 0 && (PollFd.REVENTS.get(errors) & LibC.POLLHUP) != 0) {
                throw new IOException("Connection reset");
            }
        }
    }

    private void takeCompletions() throws IOException {
        int taken = sends > completed ? completions.next(socket()) : 0;
        while (taken > 0) {
            // Several at once, and in the order of the sends but for rare cases, in which the peer has had the earlier
            // one as well: it acknowledges bytes in order.
            completed += Integer.toUnsignedLong(completions.last() - completions.first()) + 1;
            taken = completions.next(socket());
        }
        if (taken < 0 && !Errno.ENOMSG.is(taken)) {
            advance(ByteBuffer.allocate(0), taken);
        }
    }
}
