// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.net.Sockets;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Sending without the kernel's copy: over the loopback, where it copies all the same but keeps to the rules. */
@ExtendWith(LeakCheck.class)
class ZeroCopyTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final Duration SHORT = Duration.ofMillis(60);
    private static final int CHUNK = 1 << 20;

    private final Kernel kernel = new Kernel();
    private final Transport transport =
            new SystemTransport(kernel, work -> Thread.ofPlatform().daemon().start(work));

    @AfterEach
    void stop() {
        transport.close();
    }

    /** The real one, which says later than it could that it is done with the memory, or has no room for more. */
    private static final class Kernel extends ForwardingLibC {
        volatile boolean keepsMemory;
        volatile int withoutRoom;
        volatile int inPlace;
        volatile int copied;

        Kernel() {
            super(LibC.system());
        }

        @Override
        @SuppressWarnings("NonAtomicVolatileUpdate") // only the thread that writes counts
        public long sendmsg(int fd, MemorySegment message, int flags) {
            boolean zeroCopy = (flags & Sockets.MSG_ZEROCOPY) != 0;
            if (zeroCopy && withoutRoom > 0) {
                withoutRoom--;
                return Errno.ENOBUFS.negated();
            }
            if (zeroCopy) {
                inPlace++;
            } else {
                copied++;
            }
            return super.sendmsg(fd, message, flags);
        }

        @Override
        public long recvmsg(int fd, MemorySegment message, int flags) {
            return keepsMemory && (flags & Sockets.MSG_ERRQUEUE) != 0
                    ? Errno.EAGAIN.negated()
                    : super.recvmsg(fd, message, flags);
        }
    }

    private Listener listen() throws TransportException {
        return transport.listen(new TransportAddress.Tcp("127.0.0.1", 0));
    }

    private Connection connect(Listener listener, Duration limit) throws TransportException {
        TransportAddress.Tcp address = (TransportAddress.Tcp) listener.address();
        return transport.connect(new TransportAddress.Tcp(address.host(), address.port(), true), limit);
    }

    private static ByteBuffer bytes(byte[] bytes) {
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    private static CompletableFuture<byte[]> receive(Connection from, int length) {
        return CompletableFuture.supplyAsync(() -> {
            ByteBuffer buffer = ByteBuffer.allocateDirect(length);
            try {
                from.read(buffer);
            } catch (TransportException e) {
                throw new IllegalStateException(e);
            }
            byte[] received = new byte[length];
            buffer.flip().get(received);
            return received;
        });
    }

    @Test
    void shouldSendFromTheMemoryItselfAndSayWhenItIsFree() throws Exception {
        Seed seed = new Seed();
        byte[] content = new byte[8 * CHUNK];
        seed.random().nextBytes(content);
        try (Listener listener = listen();
                Connection source = connect(listener, LONG);
                Connection destination = listener.accept(LONG, LONG)) {
            CompletableFuture<byte[]> received = receive(destination, content.length);
            ByteBuffer all = bytes(content);
            long last = 0;
            for (int at = 0; at < content.length; at += CHUNK) {
                long write = source.writeInPlace(all.slice(at, CHUNK));
                assertThat(write).isGreaterThan(last);
                last = write;
            }

            source.awaitWritten(last);

            assertThat(source.isWritten(last)).isTrue();
            assertThat(received.get()).as(seed.toString()).isEqualTo(content);
            assertThat(kernel.inPlace).isGreaterThanOrEqualTo(8);
            assertThat(kernel.copied).isZero();
        }
    }

    @Test
    void shouldKeepTheMemoryAsLongAsTheKernelDoes() throws Exception {
        try (Listener listener = listen();
                Connection source = connect(listener, SHORT);
                Connection destination = listener.accept(LONG, LONG)) {
            kernel.keepsMemory = true;
            CompletableFuture<byte[]> received = receive(destination, CHUNK);
            long write = source.writeInPlace(ByteBuffer.allocateDirect(CHUNK));
            received.get();

            assertThat(source.isWritten(write)).isFalse();
            kernel.keepsMemory = false;
            source.awaitWritten(write);
            assertThat(source.isWritten(write)).isTrue();
        }
    }

    @Test
    void shouldNotWaitForMemoryBeyondTheLimit() throws Exception {
        try (Listener listener = listen();
                Connection source = connect(listener, SHORT);
                Connection destination = listener.accept(LONG, LONG)) {
            kernel.keepsMemory = true;
            CompletableFuture<byte[]> received = receive(destination, CHUNK);
            long write = source.writeInPlace(ByteBuffer.allocateDirect(CHUNK));
            received.get();

            assertThatThrownBy(() -> source.awaitWritten(write))
                    .isInstanceOfSatisfying(
                            TransportException.class,
                            e -> assertThat(e.problem()).isEqualTo(Problem.TIMED_OUT));
        }
    }

    @Test
    void shouldCopyWhereTheKernelHasNoRoomForAnythingElse() throws Exception {
        Seed seed = new Seed();
        byte[] content = new byte[CHUNK];
        seed.random().nextBytes(content);
        try (Listener listener = listen();
                Connection source = connect(listener, LONG);
                Connection destination = listener.accept(LONG, LONG)) {
            kernel.withoutRoom = 1;
            CompletableFuture<byte[]> received = receive(destination, CHUNK);

            long write = source.writeInPlace(bytes(content));
            source.awaitWritten(write);

            assertThat(kernel.copied).isPositive();
            assertThat(received.get()).as(seed.toString()).isEqualTo(content);
        }
    }

    @Test
    void shouldEndAWriteThatThePeerDoesNotTake() throws Exception {
        try (Listener listener = listen();
                Connection source = connect(listener, SHORT);
                Connection destination = listener.accept(LONG, LONG)) {
            assertThat(destination.peer()).isNotEmpty();
            ByteBuffer much = ByteBuffer.allocateDirect(64 << 20);

            assertThatThrownBy(() -> source.writeInPlace(much))
                    .isInstanceOfSatisfying(
                            TransportException.class,
                            e -> assertThat(e.problem()).isEqualTo(Problem.TIMED_OUT));
        }
    }

    @Test
    void shouldSayThatThePeerHasClosed() throws Exception {
        try (Listener listener = listen();
                Connection source = connect(listener, LONG)) {
            listener.accept(LONG, LONG).close();
            ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);

            assertThatThrownBy(() -> {
                        for (int i = 0; i < 100; i++) {
                            source.awaitWritten(source.writeInPlace(chunk.clear()));
                        }
                    })
                    .isInstanceOfSatisfying(
                            TransportException.class,
                            e -> assertThat(e.problem()).isEqualTo(Problem.ENDED));
        }
    }

    @Test
    void shouldSayThatNobodyListens() throws IOException {
        int port;
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = taken.getLocalPort();
        }

        assertThatThrownBy(() -> transport.connect(new TransportAddress.Tcp("127.0.0.1", port, true), LONG))
                .isInstanceOf(TransportException.class)
                .hasMessageEndingWith("nobody listens there; start the receiving side first");
        assertThatThrownBy(() -> transport.connect(new TransportAddress.Tcp("no.such.host.invalid", 1, true), LONG))
                .isInstanceOf(TransportException.class)
                .hasMessageEndingWith("unknown host");
    }
}
