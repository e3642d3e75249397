// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.IoVec;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MsgHdr;
import io.vfio4j.ffm.PollFd;
import io.vfio4j.ffm.net.SocketFd;
import io.vfio4j.ffm.net.Sockets;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A connected stream socket that somebody else has opened and goes on owning, by its fd.
 *
 * <p>It works on a duplicate of the fd, so that a number that is closed and used anew elsewhere does no harm. The
 * socket may be blocking or not. One thread reads and one writes, direct buffers only; any thread may close, which ends
 * their calls: closing an fd would not, so the socket is shut down, for every fd of it.
 */
sealed class FdChannel implements ByteChannel, GatheringByteChannel, ScatteringByteChannel permits ZeroCopyChannel {
    /** {@code IOV_MAX} of Linux. */
    private static final int MAX_PLACES = 1024;

    private final LibC libc;
    private final SocketFd socket;
    private final MemorySegment readable;
    private final MemorySegment writable;
    private final MemorySegment readPlaces = places();
    private final MemorySegment writePlaces = places();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** The calls under way, and one for being open: the last of them closes the fd, which none can use thereafter. */
    private final AtomicInteger users = new AtomicInteger(1);

    private volatile boolean readingStopped;

    /** Takes over a socket of its own. */
    FdChannel(LibC libc, SocketFd socket) {
        this.libc = libc;
        this.socket = socket;
        this.readable = pollFor(LibC.POLLIN);
        this.writable = pollFor(LibC.POLLOUT);
    }

    private static MemorySegment places() {
        return Arena.ofAuto().allocate(IoVec.STRUCT.size() * MAX_PLACES, IoVec.STRUCT.alignment());
    }

    private MemorySegment pollFor(int events) {
        MemorySegment poll = PollFd.STRUCT.allocate(Arena.ofAuto());
        PollFd.FD.set(poll, socket.fd());
        PollFd.EVENTS.set(poll, events);
        return poll;
    }

    /** Refuses what is no connected stream socket: a wait on anything else could have no bound. */
    static void check(LibC libc, int fd) throws TransportException {
        String problem = problem(new SocketFd(libc, fd));
        if (problem != null) {
            throw unusable(fd, problem);
        }
    }

    /** Begins to use an fd that has been checked. */
    static FdChannel open(LibC libc, int fd) throws TransportException {
        int own = libc.dup(fd);
        if (own < 0) {
            throw unusable(fd, Errno.describe(own));
        }
        SocketFd socket = new SocketFd(libc, own);
        sendAtOnce(socket);
        return new FdChannel(libc, socket);
    }

    /** Messages are short, and an answer is waited for. A Unix socket knows no such option and needs none. */
    static void sendAtOnce(SocketFd socket) {
        try (Arena arena = Arena.ofConfined()) {
            socket.setOption(Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY, arena.allocateFrom(JAVA_INT, 1));
        }
    }

    final SocketFd socket() {
        return socket;
    }

    private static TransportException unusable(int fd, String problem) {
        return new TransportException(Problem.UNREACHABLE, "fd:" + fd + ": cannot be used: " + problem, null);
    }

    private static @Nullable String problem(SocketFd socket) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(JAVA_INT);
            MemorySegment length = arena.allocateFrom(JAVA_INT, (int) value.byteSize());
            int result = socket.getOption(Sockets.SOL_SOCKET, Sockets.SO_TYPE, value, length);
            if (Errno.EBADF.is(result)) {
                return "it is not open in this process";
            }
            if (Errno.ENOTSOCK.is(result)) {
                return "it is no socket; give a connected stream socket";
            }
            if (result < 0) {
                return Errno.describe(result);
            }
            if (value.get(JAVA_INT, 0) != LibC.SOCK_STREAM) {
                return "it is a socket for messages, which have no order; give a connected stream socket";
            }
            long peeked = socket.receive(oneByteMessage(arena), Sockets.MSG_PEEK | Sockets.MSG_DONTWAIT);
            if (Errno.ENOTCONN.is(peeked) || Errno.EINVAL.is(peeked)) {
                return "it is a socket that is not connected";
            }
            return peeked >= 0 || Errno.EAGAIN.is(peeked) ? null : Errno.describe(peeked);
        }
    }

    private static MemorySegment oneByteMessage(Arena arena) {
        MemorySegment vector = IoVec.STRUCT.allocate(arena);
        IoVec.IOV_BASE.set(vector, arena.allocate(1).address());
        IoVec.IOV_LEN.set(vector, 1);
        MemorySegment message = MsgHdr.STRUCT.allocate(arena);
        MsgHdr.MSG_IOV.set(message, vector.address());
        MsgHdr.MSG_IOVLEN.set(message, 1);
        return message;
    }

    @Override
    public int read(ByteBuffer to) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(to);
        enter();
        try {
            long result = libc.read(socket.fd(), memory, 0, memory.byteSize());
            while (isToRepeat(result, readable)) {
                result = libc.read(socket.fd(), memory, 0, memory.byteSize());
            }
            // A socket that is shut down still gives what had come before.
            return result == 0 || readingStopped ? -1 : advance(to, result);
        } finally {
            leave();
        }
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(from);
        enter();
        try {
            long result = libc.write(socket.fd(), memory, 0, memory.byteSize());
            while (isToWriteAgain(result)) {
                result = libc.write(socket.fd(), memory, 0, memory.byteSize());
            }
            return advance(from, result);
        } finally {
            leave();
        }
    }

    /** Tells whether a write that did not go is to be tried again, when it has waited for room. */
    final boolean isToWriteAgain(long result) throws IOException {
        if (Errno.EAGAIN.is(result)) {
            beforeRoomIsAwaited();
        }
        return isToRepeat(result, writable);
    }

    /** Does what else would end the wait at once. */
    void beforeRoomIsAwaited() throws IOException {}

    @Override
    public long read(ByteBuffer[] to) throws IOException {
        return read(to, 0, to.length);
    }

    @Override
    public long read(ByteBuffer[] to, int offset, int length) throws IOException {
        int count = fill(readPlaces, to, offset, length);
        enter();
        try {
            long result = libc.readv(socket.fd(), readPlaces, count);
            while (isToRepeat(result, readable)) {
                result = libc.readv(socket.fd(), readPlaces, count);
            }
            return result == 0 || readingStopped ? -1 : advance(to, offset, result);
        } finally {
            leave();
            // The places are addresses only: what they are of must outlive the call.
            Reference.reachabilityFence(to);
        }
    }

    @Override
    public long write(ByteBuffer[] from) throws IOException {
        return write(from, 0, from.length);
    }

    @Override
    public long write(ByteBuffer[] from, int offset, int length) throws IOException {
        int count = fill(writePlaces, from, offset, length);
        enter();
        try {
            long result = libc.writev(socket.fd(), writePlaces, count);
            while (isToWriteAgain(result)) {
                result = libc.writev(socket.fd(), writePlaces, count);
            }
            return advance(from, offset, result);
        } finally {
            leave();
            Reference.reachabilityFence(from);
        }
    }

    private static int fill(MemorySegment places, ByteBuffer[] buffers, int offset, int length) {
        int count = Math.min(length, MAX_PLACES);
        for (int i = 0; i < count; i++) {
            MemorySegment memory = MemorySegment.ofBuffer(buffers[offset + i]);
            MemorySegment place = places.asSlice(i * IoVec.STRUCT.size(), IoVec.STRUCT.size());
            IoVec.IOV_BASE.set(place, memory.address());
            IoVec.IOV_LEN.set(place, memory.byteSize());
        }
        return count;
    }

    private static long advance(ByteBuffer[] buffers, int offset, long result) throws IOException {
        requireGood(result);
        long left = result;
        for (int i = offset; left > 0; i++) {
            int part = (int) Math.min(left, buffers[i].remaining());
            buffers[i].position(buffers[i].position() + part);
            left -= part;
        }
        return result;
    }

    /** Waits where a socket that does not block has nothing now; who closes or shuts down the socket ends the wait. */
    private boolean isToRepeat(long result, MemorySegment poll) throws IOException {
        if (closed.get()) {
            throw new AsynchronousCloseException();
        }
        if (Errno.EAGAIN.is(result)) {
            int ready = libc.poll(poll, 1, -1);
            return ready >= 0 || Errno.EINTR.is(ready);
        }
        return Errno.EINTR.is(result);
    }

    static int advance(ByteBuffer buffer, long result) throws IOException {
        requireGood(result);
        buffer.position(buffer.position() + (int) result);
        return (int) result;
    }

    private static void requireGood(long result) throws IOException {
        if (result < 0) {
            // The words of the JDK's own channels, where it has some.
            throw new IOException(
                    Errno.EPIPE.is(result)
                            ? "Broken pipe"
                            : Errno.ECONNRESET.is(result) ? "Connection reset" : Errno.describe(result));
        }
    }

    /** Ends a read that blocks, and every later one, as if the peer had closed. */
    void stopReading() throws ClosedChannelException {
        readingStopped = true;
        enter();
        try {
            socket.shutdown(LibC.SHUT_RD);
        } finally {
            leave();
        }
    }

    final void enter() throws ClosedChannelException {
        int before = users.get();
        while (before > 0 && !users.compareAndSet(before, before + 1)) {
            before = users.get();
        }
        if (before == 0) {
            throw new ClosedChannelException();
        }
    }

    final void leave() {
        if (users.decrementAndGet() == 0) {
            libc.close(socket.fd());
        }
    }

    @Override
    public boolean isOpen() {
        return !closed.get();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            socket.shutdown(LibC.SHUT_RDWR);
            leave();
        }
    }
}
