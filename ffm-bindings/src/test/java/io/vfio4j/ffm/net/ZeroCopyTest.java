// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.net;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.IoVec;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MsgHdr;
import io.vfio4j.ffm.PollFd;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sends over the loopback without a copy, as far as the kernel goes along. */
class ZeroCopyTest {
    private static final int CHUNK = 64 * 1024;
    private static final int PATIENCE_MILLIS = 10_000;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofConfined();
    private SocketFd socket = new SocketFd(libc, -1);

    @AfterEach
    void closeAll() {
        if (socket.fd() >= 0) {
            assertThat(libc.close(socket.fd())).isZero();
        }
        arena.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void shouldReportTheCompletionOfEachSend(String host) throws IOException {
        try (ServerSocketChannel server = listen(host);
                SocketChannel peer = connect(server)) {
            assertThat(getOption(Sockets.SO_ZEROCOPY)).isZero();
            assertThat(setOption(Sockets.SOL_SOCKET, Sockets.SO_ZEROCOPY)).isZero();
            assertThat(getOption(Sockets.SO_ZEROCOPY)).isEqualTo(1);
            ZeroCopyCompletions completions = new ZeroCopyCompletions(arena);
            assertThat(completions.next(socket)).as("nothing is sent").isZero();

            byte[] content = new byte[3 * CHUNK];
            new Random(1).nextBytes(content);
            MemorySegment data = arena.allocate(content.length).copyFrom(MemorySegment.ofArray(content));
            ByteBuffer received = ByteBuffer.allocate(content.length);
            int sends = 0;
            for (long at = 0; at < data.byteSize(); sends++) {
                long sent = socket.send(
                        message(data.asSlice(at, Math.min(CHUNK, data.byteSize() - at))),
                        Sockets.MSG_ZEROCOPY | Sockets.MSG_NOSIGNAL);
                assertThat(sent).isPositive();
                at += sent;
                while (received.position() < at) {
                    assertThat(peer.read(received)).isPositive();
                }
            }
            assertThat(received.array()).isEqualTo(content);

            int next = 0;
            while (next < sends) {
                int taken = completions.next(socket);
                assertThat(taken).isNotNegative();
                if (taken == 0) {
                    awaitError();
                    continue;
                }
                assertThat(completions.first()).isEqualTo(next);
                assertThat(completions.last()).isBetween(next, sends - 1);
                assertThat(completions.copied())
                        .as("the loopback always copies")
                        .isTrue();
                next = completions.last() + 1;
            }
            assertThat(completions.next(socket)).isZero();
        }
    }

    @Test
    void shouldSayHowMuchIsUnderWay() throws IOException {
        try (ServerSocketChannel server = listen("127.0.0.1");
                SocketChannel peer = connect(server)) {
            assertThat(setOption(Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY)).isZero();
            assertThat(outQueue()).isZero();
            MemorySegment message = message(arena.allocate(CHUNK));
            long total = 0;
            long sent = 0;
            while (sent >= 0) {
                total += sent;
                sent = socket.send(message, Sockets.MSG_DONTWAIT | Sockets.MSG_NOSIGNAL);
            }
            assertThat(Errno.EAGAIN.is(sent)).isTrue();
            assertThat(outQueue()).isBetween(1, (int) total);

            ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
            for (long read = 0; read < total; buffer.clear()) {
                read += peer.read(buffer);
            }
            long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
            while (outQueue() != 0) {
                assertThat(System.nanoTime()).as("the peer has it all").isLessThan(deadline);
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void shouldReturnTheErrnoOfSocketCalls() throws IOException {
        assertThat(libc.socket(-1, LibC.SOCK_STREAM, 0)).isEqualTo(-97);
        socket = new SocketFd(libc, libc.socket(LibC.AF_INET, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0));
        int port;
        try (ServerSocketChannel server = listen("127.0.0.1")) {
            port = server.socket().getLocalPort();
        }
        InetSocketAddress nobody = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        assertThat(socket.connect(Sockets.address(nobody, arena))).isEqualTo(Errno.ECONNREFUSED.negated());
        assertThat(socket.connect(arena.allocate(1))).isEqualTo(Errno.EINVAL.negated());
        assertThat(setOption(Sockets.SOL_SOCKET, -1)).isEqualTo(-92);
        assertThat(socket.getOption(Sockets.SOL_SOCKET, -1, arena.allocate(4), arena.allocateFrom(JAVA_INT, 4)))
                .isEqualTo(-92);
        assertThat(new ZeroCopyCompletions(arena).next(new SocketFd(libc, 1_000_000)))
                .isEqualTo(Errno.EBADF.negated());
        assertThatThrownBy(() -> Sockets.address(InetSocketAddress.createUnresolved("nowhere", 1), arena))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("not resolved: nowhere");
    }

    private static ServerSocketChannel listen(String host) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open();
        try {
            return server.bind(new InetSocketAddress(InetAddress.getByName(host), 0));
        } catch (IOException e) {
            server.close();
            assumeTrue(false, "this host has no address " + host + ": " + e.getMessage());
            throw e;
        }
    }

    private SocketChannel connect(ServerSocketChannel server) throws IOException {
        InetSocketAddress address = (InetSocketAddress) server.getLocalAddress();
        int domain = address.getAddress().getAddress().length == 4 ? LibC.AF_INET : LibC.AF_INET6;
        socket = new SocketFd(libc, libc.socket(domain, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0));
        assertThat(socket.fd()).isNotNegative();
        assertThat(socket.connect(Sockets.address(address, arena))).isZero();
        return server.accept();
    }

    private int setOption(int level, int option) {
        return socket.setOption(level, option, arena.allocateFrom(JAVA_INT, 1));
    }

    private int getOption(int option) {
        MemorySegment value = arena.allocate(JAVA_INT);
        MemorySegment length = arena.allocateFrom(JAVA_INT, (int) value.byteSize());
        assertThat(socket.getOption(Sockets.SOL_SOCKET, option, value, length)).isZero();
        assertThat(length.get(JAVA_INT, 0)).isEqualTo((int) value.byteSize());
        return value.get(JAVA_INT, 0);
    }

    private int outQueue() {
        MemorySegment bytes = arena.allocate(JAVA_INT);
        assertThat(socket.outQueue(bytes)).isZero();
        return bytes.get(JAVA_INT, 0);
    }

    private MemorySegment message(MemorySegment data) {
        MemorySegment vector = IoVec.STRUCT.allocate(arena);
        IoVec.IOV_BASE.set(vector, data.address());
        IoVec.IOV_LEN.set(vector, data.byteSize());
        MemorySegment message = MsgHdr.STRUCT.allocate(arena);
        MsgHdr.MSG_IOV.set(message, vector.address());
        MsgHdr.MSG_IOVLEN.set(message, 1);
        return message;
    }

    private void awaitError() {
        MemorySegment poll = PollFd.STRUCT.allocate(arena);
        PollFd.FD.set(poll, socket.fd());
        assertThat(libc.poll(poll, 1, PATIENCE_MILLIS)).as("POLLERR").isEqualTo(1);
    }
}
