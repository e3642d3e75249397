// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.net.Sockets;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedLibC;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.InterruptibleChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a connection that somebody else has opened does, whatever it is; and what is refused. */
@ExtendWith(LeakCheck.class)
class GivenConnectionsTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final Duration SHORT = Duration.ofMillis(60);
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int NO_SUCH_FD = 1_000_000;

    /** What a caller may hand over. */
    enum Kind {
        UNIX_FD,
        UNIX_FD_THAT_DOES_NOT_BLOCK,
        TCP_FD,
        UNIX_CHANNEL,
        TCP_CHANNEL,
        WRAPPED_CHANNEL
    }

    @TempDir
    private Path folder;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final Arena arena = Arena.ofShared();
    private final List<Integer> fds = new ArrayList<>();
    private final List<ByteChannel> channels = new ArrayList<>();
    private Transport transport;

    @BeforeEach
    void start() {
        transport = new SystemTransport(
                libc, work -> Thread.ofPlatform().name("vfio4j-test").start(work));
    }

    @AfterEach
    void stop() throws IOException {
        transport.close();
        for (int fd : fds) {
            assertThat(libc.close(fd)).as("the fd is still the caller's").isZero();
        }
        for (ByteChannel channel : channels) {
            channel.close();
        }
        arena.close();
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryBytesBothWays(Kind kind) throws Exception {
        Seed seed = new Seed();
        byte[] bytes = new byte[5 << 20];
        seed.random().nextBytes(bytes);
        try (Pair pair = new Pair(kind)) {
            FutureTask<@Nullable Throwable> writing = running(() -> pair.ours.write(direct(bytes)));
            assertThat(receive(pair.theirs, bytes.length)).as(seed.toString()).isEqualTo(bytes);
            assertThat(writing.get()).isNull();
            pair.theirs.write(direct(new byte[] {1, 2, 3}));
            assertThat(receive(pair.ours, 3)).containsExactly(1, 2, 3);
            pair.theirs.close();
            assertThat(pair.ours.atEnd(ByteBuffer.allocateDirect(1))).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldTimeOutWhenThePeerSendsNothing(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            pair.ours.limit(SHORT);
            TransportException e = failing(() -> receive(pair.ours, 1));
            assertThat(e.problem()).isEqualTo(Problem.TIMED_OUT);
            assertThat(e).hasMessage(pair.ours.peer() + ": the other side has been silent for 60 ms");
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldTimeOutWhenThePeerTakesNothing(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            pair.ours.limit(SHORT);
            ByteBuffer much = ByteBuffer.allocateDirect(64 << 20);
            assertThat(failing(() -> pair.ours.write(much)).problem()).isEqualTo(Problem.TIMED_OUT);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldEndABlockedCallWhenAnotherThreadCloses(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            FutureTask<@Nullable Throwable> reading = running(() -> receive(pair.ours, 1));
            pair.ours.close();
            pair.ours.close();
            assertEnded(reading.get());
            assertThat(failing(() -> pair.ours.write(direct(new byte[1]))).problem())
                    .isEqualTo(Problem.ENDED);
            assertThat(failing(() -> receive(pair.theirs, 1)).problem()).isEqualTo(Problem.ENDED);
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "WRAPPED_CHANNEL")
    void shouldGoOnWritingWhenReadingIsStopped(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            FutureTask<@Nullable Throwable> reading = running(() -> receive(pair.ours, 1));
            pair.ours.stopReading();
            assertEnded(reading.get());
            pair.ours.write(direct(new byte[] {7}));
            assertThat(receive(pair.theirs, 1)).containsExactly(7);
            assertThat(pair.ours.atEnd(ByteBuffer.allocateDirect(1))).isTrue();
        }
    }

    @Test
    void shouldEndAChannelThatKnowsNoDirectionsWhenReadingIsStopped() throws Exception {
        try (Pair pair = new Pair(Kind.WRAPPED_CHANNEL)) {
            pair.ours.stopReading();
            assertThat(failing(() -> pair.ours.write(direct(new byte[1]))).problem())
                    .isEqualTo(Problem.ENDED);
        }
    }

    @Test
    void shouldPassOverWhatHadComeBeforeReadingWasStopped() throws Exception {
        try (Pair pair = new Pair(Kind.TCP_FD)) {
            pair.theirs.write(direct(new byte[] {1, 2, 3}));
            receive(pair.ours, 1);
            pair.ours.stopReading();
            assertThat(pair.ours.atEnd(ByteBuffer.allocateDirect(8))).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldSayEndedWhenThePeerIsGone(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            pair.theirs.write(direct(new byte[3]));
            pair.theirs.close();
            assertThat(failing(() -> receive(pair.ours, 4)).problem()).isEqualTo(Problem.ENDED);
            TransportException e = failing(() -> {
                while (true) {
                    pair.ours.write(direct(new byte[1 << 16]));
                }
            });
            assertThat(e.problem()).isEqualTo(Problem.ENDED);
            assertThat(e).hasMessage(pair.ours.peer() + ": the other side has closed the connection");
        }
    }

    @Test
    void shouldGoOnWhenASignalOrAnEmptySocketInterruptsACall() throws Exception {
        try (Pair pair = new Pair(Kind.UNIX_FD)) {
            libc.writes(Errno.EINTR.negated(), Errno.EAGAIN.negated(), 2);
            pair.ours.write(direct(new byte[] {1, 2, 3}));
            libc.reads(Errno.EINTR.negated(), Errno.EAGAIN.negated(), 1);
            assertThat(receive(pair.theirs, 3)).containsExactly(1, 2, 3);
        }
    }

    @Test
    void shouldNameTheErrnoOfACallThatFails() throws Exception {
        try (Pair pair = new Pair(Kind.UNIX_FD)) {
            libc.reads(Errno.EIO.negated());
            TransportException e = failing(() -> receive(pair.ours, 1));
            assertThat(e.problem()).isEqualTo(Problem.FAILED);
            assertThat(e).hasMessage("reading from " + pair.ours.peer() + " failed: EIO (5)");
            libc.reads(Errno.ECONNRESET.negated());
            assertThat(failing(() -> receive(pair.ours, 1)).problem()).isEqualTo(Problem.ENDED);
        }
    }

    @Test
    void shouldSendSmallMessagesAtOnceOverTcp() throws Exception {
        try (Pair pair = new Pair(Kind.TCP_CHANNEL)) {
            assertThat(channels)
                    .allSatisfy(channel -> assertThat(
                                    ((SocketChannel) channel).getOption(StandardSocketOptions.TCP_NODELAY))
                            .isTrue());
            assertThat(pair.ours.peer()).matches("tcp:127\\.0\\.0\\.1:\\d+");
        }
        try (Pair pair = new Pair(Kind.TCP_FD)) {
            MemorySegment value = arena.allocate(JAVA_INT);
            assertThat(libc.getsockopt(
                            fds.getFirst(),
                            Sockets.IPPROTO_TCP,
                            Sockets.TCP_NODELAY,
                            value,
                            arena.allocateFrom(JAVA_INT, 4)))
                    .isZero();
            assertThat(value.get(JAVA_INT, 0)).isEqualTo(1);
            assertThat(pair.ours.peer()).isEqualTo("fd:" + fds.getFirst());
        }
    }

    @Test
    void shouldHandThemOutInTheirOrderAndThenHaveNone() throws Exception {
        int[] first = socketpair(LibC.SOCK_STREAM);
        int[] second = socketpair(LibC.SOCK_STREAM);
        TransportAddress.Fds address = new TransportAddress.Fds(List.of(first[0], second[0]));
        try (Connection one = transport.connect(address, LONG);
                Connection two = transport.connect(address, LONG)) {
            assertThat(one.peer()).isEqualTo("fd:" + first[0]);
            assertThat(two.peer()).isEqualTo("fd:" + second[0]);
            TransportException e =
                    failing(() -> transport.connect(address, LONG).close());
            assertThat(e).hasMessage(address + ": no connection is left");
        }
    }

    @Test
    void shouldEndThoseThatNobodyTook() throws Exception {
        int[] first = socketpair(LibC.SOCK_STREAM);
        int[] second = socketpair(LibC.SOCK_STREAM);
        try (Listener listener = transport.listen(new TransportAddress.Fds(List.of(first[0], second[0])))) {
            assertThat(listener.address()).hasToString("fd:" + first[0] + "," + second[0]);
            listener.accept(LONG, LONG).close();
        }
        assertThat(libc.read(second[1], arena.allocate(1), 0, 1)).isZero();
    }

    @Test
    void shouldRefuseAnFdThatIsNotOpen() {
        refused(NO_SUCH_FD, "it is not open in this process");
    }

    @Test
    void shouldRefuseAPipeAndAFile() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        refused(own(libc.open(pipe.toString(), LibC.O_RDWR | LibC.O_CLOEXEC)), "it is no socket");
        refused(own(libc.memfdCreate("given", LibC.MFD_CLOEXEC)), "it is no socket");
    }

    @Test
    void shouldRefuseASocketForMessages() {
        refused(socketpair(SOCK_DGRAM)[0], "it is a socket for messages");
    }

    @ParameterizedTest
    @ValueSource(ints = {LibC.AF_UNIX, LibC.AF_INET})
    void shouldRefuseASocketThatIsNotConnected(int domain) {
        refused(
                own(libc.socket(domain, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0)),
                "it is a socket that is not connected");
    }

    /** Beside a good one, which is as it was. */
    private void refused(int fd, String why) {
        int[] good = socketpair(LibC.SOCK_STREAM);
        TransportAddress.Fds address = new TransportAddress.Fds(List.of(good[0], fd));
        TransportException e = failing(() -> transport.connect(address, LONG).close());
        assertThat(e.problem()).isEqualTo(Problem.UNREACHABLE);
        assertThat(e).hasMessageStartingWith("fd:" + fd + ": cannot be used: " + why);
        assertThat(failing(() -> transport.listen(address).close())).hasMessageContaining(why);
        assertThat(libc.write(good[0], arena.allocate(1), 0, 1)).isEqualTo(1);
        assertThat(libc.read(good[1], arena.allocate(1), 0, 1)).isEqualTo(1);
    }

    @Test
    void shouldRefuseChannelsThatCannotWork() throws Exception {
        SocketChannel closed = SocketChannel.open();
        closed.close();
        SocketChannel unconnected = SocketChannel.open();
        channels.add(unconnected);
        SocketChannel impatient = connectedChannels("unix")[0];
        impatient.configureBlocking(false);
        ByteChannel uninterruptible = new Wrapped(connectedChannels("unix")[0]) {};

        refused(closed, "it is closed");
        refused(unconnected, "it is not connected");
        refused(impatient, "it does not block; call configureBlocking(true)");
        refused(uninterruptible, "closing it ends no call that blocks");
    }

    private void refused(ByteChannel channel, String why) throws IOException {
        SocketChannel good = connectedChannels("unix")[0];
        TransportAddress.Channels address = new TransportAddress.Channels(List.of(good, channel));
        TransportException e = failing(() -> transport.connect(address, LONG).close());
        assertThat(e.problem()).isEqualTo(Problem.UNREACHABLE);
        assertThat(e).hasMessageStartingWith("channel 2 of 2: cannot be used: " + why);
        assertThat(good.isOpen()).isTrue();
    }

    private int[] socketpair(int type) {
        MemorySegment pair = arena.allocate(JAVA_INT, 2);
        assertThat(libc.socketpair(LibC.AF_UNIX, type | LibC.SOCK_CLOEXEC, pair))
                .isZero();
        return new int[] {own(pair.getAtIndex(JAVA_INT, 0)), own(pair.getAtIndex(JAVA_INT, 1))};
    }

    private int own(int fd) {
        assertThat(fd).isNotNegative();
        fds.add(fd);
        return fd;
    }

    private SocketChannel[] connectedChannels(String kind) throws IOException {
        boolean tcp = kind.equals("tcp");
        try (ServerSocketChannel server =
                tcp ? ServerSocketChannel.open() : ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(
                    tcp
                            ? new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)
                            : UnixDomainSocketAddress.of(folder.resolve("socket" + channels.size())));
            SocketChannel client = SocketChannel.open(server.getLocalAddress());
            channels.add(client);
            SocketChannel accepted = server.accept();
            channels.add(accepted);
            return new SocketChannel[] {client, accepted};
        }
    }

    /** An fd that is connected, and a channel at its other end. */
    private int tcpFd() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            int fd = own(libc.socket(LibC.AF_INET, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0));
            InetSocketAddress address = (InetSocketAddress) server.getLocalAddress();
            assertThat(libc.connect(fd, Sockets.address(address, arena))).isZero();
            channels.add(server.accept());
            return fd;
        }
    }

    private static ByteBuffer direct(byte[] bytes) {
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    private static byte[] receive(Connection from, int length) throws TransportException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(length);
        from.read(buffer);
        byte[] bytes = new byte[length];
        buffer.flip().get(bytes);
        return bytes;
    }

    /** Makes a call on a thread of its own, and gives what it throws. */
    private static FutureTask<@Nullable Throwable> running(ThrowingCallable call) {
        FutureTask<@Nullable Throwable> task = new FutureTask<>(() -> catchThrowable(call));
        Thread.ofPlatform().start(task);
        return task;
    }

    private static void assertEnded(@Nullable Throwable failure) {
        assertThat(failure)
                .isInstanceOfSatisfying(
                        TransportException.class, e -> assertThat(e.problem()).isEqualTo(Problem.ENDED));
    }

    private static TransportException failing(ThrowingCallable call) {
        TransportException e = catchThrowableOfType(TransportException.class, call);
        assertThat(e).isNotNull();
        return e;
    }

    /** Two ends of one connection, each handed over to a transport. */
    private final class Pair implements AutoCloseable {
        final Connection ours;
        final Connection theirs;

        Pair(Kind kind) throws IOException {
            switch (kind) {
                case UNIX_FD, UNIX_FD_THAT_DOES_NOT_BLOCK -> {
                    int[] pair = socketpair(kind == Kind.UNIX_FD ? LibC.SOCK_STREAM : LibC.SOCK_STREAM | SOCK_NONBLOCK);
                    ours = transport.connect(new TransportAddress.Fds(List.of(pair[0])), LONG);
                    theirs = accept(new TransportAddress.Fds(List.of(pair[1])));
                }
                case TCP_FD -> {
                    ours = transport.connect(new TransportAddress.Fds(List.of(tcpFd())), LONG);
                    theirs = accept(new TransportAddress.Channels(List.of(channels.getLast())));
                }
                case UNIX_CHANNEL, TCP_CHANNEL, WRAPPED_CHANNEL -> {
                    SocketChannel[] pair = connectedChannels(kind == Kind.TCP_CHANNEL ? "tcp" : "unix");
                    ByteChannel own = kind == Kind.WRAPPED_CHANNEL ? new InterruptibleWrapped(pair[0]) : pair[0];
                    ours = transport.connect(new TransportAddress.Channels(List.of(own)), LONG);
                    theirs = accept(new TransportAddress.Channels(List.of(pair[1])));
                }
                default -> throw new AssertionError(kind);
            }
        }

        private Connection accept(TransportAddress.Peer address) throws TransportException {
            try (Listener listener = transport.listen(address)) {
                return listener.accept(LONG, LONG);
            }
        }

        @Override
        public void close() {
            ours.close();
            theirs.close();
        }
    }

    /** A channel that a caller has made, such as for TLS. */
    private static class Wrapped implements ByteChannel {
        private final SocketChannel channel;

        Wrapped(SocketChannel channel) {
            this.channel = channel;
        }

        @Override
        public int read(ByteBuffer to) throws IOException {
            return channel.read(to);
        }

        @Override
        public int write(ByteBuffer from) throws IOException {
            return channel.write(from);
        }

        @Override
        public boolean isOpen() {
            return channel.isOpen();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    private static final class InterruptibleWrapped extends Wrapped implements InterruptibleChannel {
        InterruptibleWrapped(SocketChannel channel) {
            super(channel);
        }
    }
}
