// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LeakCheck.class)
class ConnectionTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final Duration SHORT = Duration.ofMillis(60);

    @TempDir
    private Path folder;

    private Transport transport;

    @BeforeEach
    void start() {
        transport = new SystemTransport(LibC.system(), ConnectionTest::newThread);
    }

    @AfterEach
    void stop() {
        transport.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp:127.0.0.1:0", "tcp:[::1]:0", "unix:"})
    void shouldCarryBytesBothWays(String text) throws IOException {
        Seed seed = new Seed();
        byte[] bytes = new byte[100_000];
        seed.random().nextBytes(bytes);
        try (Listener listener = transport.listen(peer(text));
                Connection client = transport.connect(listener.address(), LONG);
                Connection server = listener.accept(LONG, LONG)) {
            client.write(direct(bytes));
            assertThat(receive(server, bytes.length)).as(seed.toString()).isEqualTo(bytes);
            server.write(direct(bytes));
            assertThat(receive(client, bytes.length)).as(seed.toString()).isEqualTo(bytes);
            client.close();
            assertThat(server.atEnd(ByteBuffer.allocateDirect(1))).isTrue();
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldWriteMoreThanOnePieceWhenTheBufferIsLarge() throws Exception {
        byte[] bytes = new byte[5 << 20];
        new Seed().random().nextBytes(bytes);
        try (Pair pair = new Pair(LONG)) {
            Background writing = new Background(() -> pair.client.write(direct(bytes)));
            assertThat(receive(pair.server, bytes.length)).isEqualTo(bytes);
            assertThat(writing.failure()).isNull();
        }
    }

    @Test
    void shouldTimeOutWhenThePeerSendsNothing() throws Exception {
        try (Pair pair = new Pair(SHORT)) {
            TransportException e = failing(() -> receive(pair.client, 1));
            assertThat(e.problem()).isEqualTo(Problem.TIMED_OUT);
            assertThat(e).hasMessageContaining("the other side has been silent for 60 ms");
        }
    }

    @Test
    void shouldTimeOutWhenThePeerTakesNothing() throws Exception {
        try (Pair pair = new Pair(SHORT)) {
            ByteBuffer much = ByteBuffer.allocateDirect(64 << 20);
            assertThat(failing(() -> pair.client.write(much)).problem()).isEqualTo(Problem.TIMED_OUT);
        }
    }

    @Test
    void shouldTimeOutWhenThePeerDripsBeyondTheTotal() throws Exception {
        try (Pair pair = new Pair(LONG)) {
            pair.client.within(SHORT);
            CountDownLatch over = new CountDownLatch(1);
            Background dripping = new Background(() -> {
                while (over.getCount() > 0) {
                    pair.server.write(direct(new byte[1]));
                    over.await(1, TimeUnit.MILLISECONDS);
                }
            });
            TransportException e = failing(() -> {
                while (true) {
                    receive(pair.client, 1);
                }
            });
            over.countDown();
            pair.server.close();
            assertThat(e.problem()).isEqualTo(Problem.TIMED_OUT);
            dripping.failure();
        }
    }

    @Test
    void shouldWaitOnWhenTheTotalWasTakenAway() throws Exception {
        try (Pair pair = new Pair(LONG)) {
            pair.client.within(Duration.ofNanos(1));
            pair.client.within(null);
            pair.server.write(direct(new byte[] {7}));
            assertThat(receive(pair.client, 1)).containsExactly(7);
        }
    }

    @Test
    void shouldEndABlockedCallWhenAnotherThreadCloses() throws Exception {
        try (Pair pair = new Pair(LONG)) {
            Background reading = new Background(() -> receive(pair.client, 1));
            pair.client.close();
            assertThat(reading.failure())
                    .isInstanceOfSatisfying(
                            TransportException.class,
                            e -> assertThat(e.problem()).isEqualTo(Problem.ENDED));
        }
    }

    @Test
    void shouldSayEndedWhenThePeerClosesInTheMiddle() throws Exception {
        try (Pair pair = new Pair(LONG)) {
            pair.server.write(direct(new byte[3]));
            pair.server.close();
            TransportException e = failing(() -> receive(pair.client, 4));
            assertThat(e.problem()).isEqualTo(Problem.ENDED);
        }
    }

    @Test
    void shouldSayUnreachableWhenNobodyListens() throws IOException {
        TransportAddress.Peer gone;
        try (Listener listener = transport.listen(peer("tcp:127.0.0.1:0"))) {
            gone = listener.address();
        }
        TransportException e = failing(() -> transport.connect(gone, LONG).close());
        assertThat(e.problem()).isEqualTo(Problem.UNREACHABLE);
        assertThat(e).hasMessage(gone + ": cannot connect: nobody listens there; start the receiving side first");
    }

    @Test
    void shouldSayUnreachableWhenTheSocketFileIsMissing() {
        TransportException e =
                failing(() -> transport.connect(peer("unix:"), LONG).close());
        assertThat(e.problem()).isEqualTo(Problem.UNREACHABLE);
    }

    @Test
    void shouldSayUnreachableWhenTheUnixPathIsTooLong() {
        TransportAddress.Peer tooLong = new TransportAddress.Unix(folder.resolve("x".repeat(200)));
        assertThat(failing(() -> transport.listen(tooLong).close()).problem()).isEqualTo(Problem.UNREACHABLE);
        assertThat(failing(() -> transport.connect(tooLong, LONG).close()).problem())
                .isEqualTo(Problem.UNREACHABLE);
    }

    @Test
    void shouldTimeOutWhenTheBacklogIsFull() throws IOException {
        Path path = folder.resolve("socket");
        List<SocketChannel> queued = new ArrayList<>();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path), 1);
            // Linux queues one more than it is told; a channel that may not wait shows when it is full.
            boolean full = false;
            while (!full) {
                SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                queued.add(channel);
                channel.configureBlocking(false);
                try {
                    full = !channel.connect(UnixDomainSocketAddress.of(path));
                } catch (IOException e) {
                    full = true;
                }
            }
            TransportException e = failing(() ->
                    transport.connect(new TransportAddress.Unix(path), SHORT).close());
            assertThat(e.problem()).isEqualTo(Problem.UNREACHABLE);
            assertThat(e).hasMessageContaining("no answer in time");
        } finally {
            for (SocketChannel channel : queued) {
                channel.close();
            }
        }
    }

    @Test
    void shouldSayWhatToDoWhenAStaleSocketFileIsInTheWay() throws IOException {
        Path path = folder.resolve("socket");
        Files.createFile(path);
        TransportException e =
                failing(() -> transport.listen(new TransportAddress.Unix(path)).close());
        assertThat(e.problem()).isEqualTo(Problem.UNREACHABLE);
        assertThat(e).hasMessageContaining("the file exists: remove it if nobody listens there");
        assertThat(path).exists();
    }

    @Test
    void shouldSayUnreachableWhenThePortIsInUse() throws IOException {
        try (Listener listener = transport.listen(peer("tcp:127.0.0.1:0"))) {
            assertThat(failing(() -> transport.listen(listener.address()).close())
                            .problem())
                    .isEqualTo(Problem.UNREACHABLE);
        }
    }

    @Test
    void shouldTimeOutWhenNobodyConnects() throws IOException {
        try (Listener listener = transport.listen(peer("tcp:127.0.0.1:0"))) {
            TransportException e = failing(() -> listener.accept(SHORT, LONG).close());
            assertThat(e.problem()).isEqualTo(Problem.TIMED_OUT);
            assertThat(e).hasMessageContaining("nobody connected in time");
        }
    }

    @Test
    void shouldEndTheWaitWhenAnotherThreadClosesTheListener() throws Exception {
        Listener listener = transport.listen(peer("unix:"));
        Background accepting = new Background(() -> listener.accept(LONG, LONG).close());
        listener.close();
        assertThat(accepting.failure())
                .isInstanceOfSatisfying(
                        TransportException.class, e -> assertThat(e.problem()).isEqualTo(Problem.ENDED));
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldGiveTheFileItsNameOnCommitOnly() throws IOException {
        TransportAddress.File address = new TransportAddress.File(folder.resolve("state"));
        try (OutgoingFile file = transport.createFile(address)) {
            file.connection().write(direct(new byte[] {1, 2, 3}));
            file.force();
            try (var entries = Files.list(folder)) {
                assertThat(entries.map(entry -> entry.getFileName().toString()))
                        .singleElement()
                        .satisfies(name -> assertThat(name).startsWith("state.").endsWith(".partial"));
            }
            file.commit();
            assertThat(address.path()).hasBinaryContent(new byte[] {1, 2, 3});
        }
        assertThat(folder).isDirectoryContaining(entry -> entry.equals(address.path()));
        try (IncomingFile file = transport.openFile(address)) {
            Connection read = file.connection();
            assertThat(receive(read, 3)).containsExactly(1, 2, 3);
            assertThat(read.atEnd(ByteBuffer.allocateDirect(1))).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4095, 4096, 4097, (3 << 20) + 7})
    void shouldWritePastThePageCacheWhateverItsLength(int length) throws IOException {
        TransportAddress.File address = new TransportAddress.File(folder.resolve("state"), true);
        Random random = new Random(length);
        byte[] content = new byte[length];
        random.nextBytes(content);
        try (OutgoingFile file = createDirectFile(address)) {
            int written = 0;
            while (written < length) {
                int part = Math.min(length - written, 1 + random.nextInt(700_000));
                file.connection().write(direct(Arrays.copyOfRange(content, written, written + part)));
                written += part;
                if (random.nextBoolean()) {
                    file.force();
                }
            }
            file.force();
            file.commit();
        }
        assertThat(address.path()).hasBinaryContent(content);
    }

    private OutgoingFile createDirectFile(TransportAddress.File address) throws IOException {
        try {
            return transport.createFile(address);
        } catch (TransportException e) {
            assertThat(e).hasMessageStartingWith(address + ": cannot be made: ");
            assertThat(folder).isEmptyDirectory();
            return Assumptions.abort("no O_DIRECT where temporary files are: " + e.getMessage());
        }
    }

    @Test
    void shouldLeaveNothingWhenTheFileIsClosedBeforeItsCommit() throws IOException {
        try (OutgoingFile file = transport.createFile(new TransportAddress.File(folder.resolve("state")))) {
            file.connection().write(direct(new byte[10]));
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldLeaveNothingWhenTheFileIsDiscardedAfterItsCommit() throws IOException {
        try (OutgoingFile file = transport.createFile(new TransportAddress.File(folder.resolve("state")))) {
            file.commit();
            file.discard();
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldReplaceNoFile() throws IOException {
        TransportAddress.File address = new TransportAddress.File(folder.resolve("state"));
        try (OutgoingFile file = transport.createFile(address)) {
            Files.writeString(address.path(), "mine");
            assertThat(failing(file::commit)).hasMessageContaining("exists already");
        }
        assertThat(address.path()).hasContent("mine");
        assertThat(failing(() -> transport.createFile(address).close()))
                .hasMessage(address + ": exists already; remove it or choose another name");
    }

    @Test
    void shouldSayWhyWhenThereIsNoSuchFolderOrFile() {
        TransportAddress.File address = new TransportAddress.File(folder.resolve("none/state"));
        assertThat(failing(() -> transport.createFile(address).close()))
                .hasMessage(address + ": cannot be made: no such folder");
        assertThat(failing(() -> transport.openFile(address).close())).hasMessage(address + ": no such file");
    }

    private TransportAddress.Peer peer(String text) {
        return TransportAddress.parsePeer(text.equals("unix:") ? "unix:" + folder.resolve("socket") : text);
    }

    private static ByteBuffer direct(byte[] bytes) {
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    private static void newThread(Runnable work) {
        Thread.ofPlatform().name("vfio4j-test").start(work);
    }

    private static byte[] receive(Connection from, int length) throws TransportException {
        byte[] bytes = new byte[length];
        ByteBuffer piece = ByteBuffer.allocateDirect(Math.min(length, 1 << 16));
        int at = 0;
        while (at < length) {
            piece.clear().limit(Math.min(piece.capacity(), length - at));
            from.read(piece);
            piece.flip();
            int got = piece.remaining();
            piece.get(bytes, at, got);
            at += got;
        }
        return bytes;
    }

    private static TransportException failing(ThrowingCallable call) {
        TransportException e = catchThrowableOfType(TransportException.class, call);
        assertThat(e).isNotNull();
        return e;
    }

    /** Two connected ends. */
    private final class Pair implements AutoCloseable {
        private final Connection client;
        private final Connection server;

        Pair(Duration clientLimit) throws TransportException {
            try (Listener listener = transport.listen(peer("unix:"))) {
                client = transport.connect(listener.address(), clientLimit);
                server = listener.accept(LONG, LONG);
            }
        }

        @Override
        public void close() {
            client.close();
            server.close();
        }
    }

    /** A call on a thread of its own. */
    private static final class Background {
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        private final Thread thread;

        Background(ThrowingCallable call) {
            thread = Thread.ofPlatform().start(() -> {
                try {
                    call.call();
                } catch (Throwable t) {
                    failure.set(t);
                }
            });
        }

        @Nullable
        Throwable failure() throws InterruptedException {
            thread.join();
            return failure.get();
        }
    }
}
