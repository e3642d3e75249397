// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.net.Sockets;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Migrations over connections that the caller has opened. */
@ExtendWith(LeakCheck.class)
class GivenConnectionsMigrationTest {
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("mdev:script", "scripted");
    private static final int DEVICES = 2;
    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunkBytes(4096)
            .downtimeLimit(Duration.ofHours(1))
            .build();
    private static final MigrationParameters HASTY = MigrationParameters.builder()
            .chunkBytes(4096)
            .peerLimit(Duration.ofMillis(200))
            .build();

    @TempDir
    private Path folder;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final Arena arena = Arena.ofShared();
    private final Recorder events = new Recorder();
    private final List<ScriptedDevice> sources = new ArrayList<>();
    private final List<ScriptedDevice> destinations = new ArrayList<>();
    private final List<Integer> here = new ArrayList<>();
    private final List<Integer> there = new ArrayList<>();
    private final List<SocketChannel> channels = new ArrayList<>();

    @AfterEach
    void close() throws IOException {
        sources.forEach(ScriptedDevice::close);
        destinations.forEach(ScriptedDevice::close);
        here.addAll(there);
        for (int fd : here) {
            assertThat(libc.close(fd)).as("the fd is still the caller's").isZero();
        }
        for (SocketChannel channel : channels) {
            channel.close();
        }
        arena.close();
    }

    private TwoSides.Outcome migrate(TransportAddress to, TransportAddress from, MigrationParameters parameters)
            throws Exception {
        return new TwoSides(libc, folder)
                .over(told -> to, from)
                .migrate(handlers(sources, "RUNNING"), handlers(destinations, "STOP"), parameters);
    }

    private List<VfioDeviceHandler> handlers(List<ScriptedDevice> scripts, String state) throws VfioException {
        VfioDevice[] devices = new VfioDevice[DEVICES];
        for (int i = 0; i < DEVICES; i++) {
            ScriptedDevice script = new ScriptedDevice(libc).in(state);
            scripts.add(script);
            script.preCopyState = new byte[20_000 + i];
            script.stopCopyState = new byte[] {(byte) i};
            devices[i] = VfioDevice.adopt(libc, script.fd(), "script" + i, IDENTITY);
        }
        return VfioDeviceHandler.inOrder(devices);
    }

    private void assertAllMoved() {
        for (int i = 0; i < DEVICES; i++) {
            assertThat(destinations.get(i).loaded).hasSize(20_001 + i).endsWith(i);
            assertThat(destinations.get(i).state()).isEqualTo("RUNNING");
            assertThat(sources.get(i).state()).isEqualTo("STOP");
        }
    }

    private void assertNothingMoved() {
        assertThat(sources).allSatisfy(script -> assertThat(script.state()).isEqualTo("RUNNING"));
        assertThat(destinations).allSatisfy(script -> assertThat(script.state()).isEqualTo("STOP"));
    }

    private void connectFds(int count) {
        for (int i = 0; i < count; i++) {
            MemorySegment pair = arena.allocate(JAVA_INT, 2);
            assertThat(libc.socketpair(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, pair))
                    .isZero();
            here.add(pair.getAtIndex(JAVA_INT, 0));
            there.add(pair.getAtIndex(JAVA_INT, 1));
        }
    }

    private static TransportAddress.Fds fds(List<Integer> fds) {
        return new TransportAddress.Fds(fds);
    }

    @Test
    void shouldMigrateOverFds() throws Exception {
        connectFds(1 + DEVICES);

        migrate(fds(here), fds(there), PARAMETERS).completed();

        assertAllMoved();
        // What was used up is of no more use.
        assertThat(libc.read(here.getFirst(), arena.allocate(1), 0, 1)).isZero();
    }

    @Test
    void shouldMigrateOverChannels() throws Exception {
        List<SocketChannel> source = new ArrayList<>();
        List<SocketChannel> destination = new ArrayList<>();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(folder.resolve("given")));
            for (int i = 0; i < 1 + DEVICES; i++) {
                source.add(SocketChannel.open(server.getLocalAddress()));
                destination.add(server.accept());
            }
        }
        channels.addAll(source);
        channels.addAll(destination);

        migrate(new TransportAddress.Channels(source), new TransportAddress.Channels(destination), PARAMETERS)
                .completed();

        assertAllMoved();
        assertThat(channels).noneMatch(SocketChannel::isOpen);
    }

    @Test
    void shouldMigrateOverFdsToADestinationThatListens() throws Exception {
        new TwoSides(libc, folder)
                .over(this::connectTo, TransportAddress.parse("tcp:127.0.0.1:0"))
                .migrate(handlers(sources, "RUNNING"), handlers(destinations, "STOP"), PARAMETERS)
                .completed();

        assertAllMoved();
    }

    private TransportAddress connectTo(String listening) {
        if (!(TransportAddress.parse(listening) instanceof TransportAddress.Tcp tcp)) {
            throw new AssertionError("it does not listen: " + listening);
        }
        for (int i = 0; i < 1 + DEVICES; i++) {
            int fd = libc.socket(LibC.AF_INET, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
            here.add(fd);
            InetSocketAddress address = new InetSocketAddress(tcp.host(), tcp.port());
            assertThat(libc.connect(fd, Sockets.address(address, arena))).isZero();
        }
        return fds(here);
    }

    @Test
    void shouldRefuseTooFewConnectionsAndSayHowManyAreNeeded() throws Exception {
        connectFds(2);

        TwoSides.Outcome outcome = migrate(fds(here), fds(there), PARAMETERS);

        assertThat(outcome.failed().reason()).isEqualTo(Reason.TRANSPORT);
        assertThat(outcome.failed())
                .hasMessage(fds(here)
                        + ": 2 handlers need 3 connections, one for control and one for each, and 2 are given");
        assertThat(outcome.destinationFailure()).hasMessageContaining("need 3 connections");
        assertNothingMoved();
        assertThat(libc.write(here.getFirst(), arena.allocate(1), 0, 1))
                .as("they can still be used")
                .isEqualTo(1);
    }

    @Test
    void shouldRefuseTooManyConnections() throws Exception {
        connectFds(4);

        assertThat(migrate(fds(here), fds(there), PARAMETERS).failed())
                .hasMessageContaining("need 3 connections, one for control and one for each, and 4 are given");
        assertNothingMoved();
    }

    @Test
    void shouldSayThatTheOrderDiffersBetweenTheHandlers() throws Exception {
        connectFds(1 + DEVICES);
        List<Integer> swapped = List.of(there.get(0), there.get(2), there.get(1));

        TwoSides.Outcome outcome = migrate(fds(here), fds(swapped), PARAMETERS);

        assertThat(outcome.destinationFailure())
                .hasMessage(
                        "fd:" + there.get(2)
                                + ": a frame of stream 2 came in stream 1; both sides give their connections in the same order");
        assertThat(outcome.failed()).hasMessageContaining("gave up: fd:" + there.get(2));
        assertThat(sources).allSatisfy(script -> assertThat(script.state()).isEqualTo("RUNNING"));
    }

    @Test
    void shouldEndWhenTheFirstConnectionIsAnotherOneAtTheOtherSide() throws Exception {
        connectFds(1 + DEVICES);

        TwoSides.Outcome outcome = migrate(fds(here), fds(there.reversed()), HASTY);

        assertThat(outcome.failed())
                .hasMessage("fd:" + here.getFirst() + ": the other side has been silent for 200 ms");
        assertNothingMoved();
    }

    @Test
    void shouldWaitLongerForASourceToBeginThanForOneThatHasGoneSilent() throws Exception {
        connectFds(1 + DEVICES);
        MigrationParameters parameters = MigrationParameters.builder()
                .chunkBytes(4096)
                .peerLimit(Duration.ofSeconds(2))
                .build();
        TransportAddress source = fds(here);
        TwoSides sides = new TwoSides(libc, folder).over(told -> afterAWhile(source), fds(there));

        sides.migrate(handlers(sources, "RUNNING"), handlers(destinations, "STOP"), parameters)
                .completed();

        assertAllMoved();
    }

    /** The destination may wait longer than this for what has begun. */
    private static TransportAddress afterAWhile(TransportAddress address) {
        try {
            Thread.sleep(Duration.ofMillis(2500));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return address;
    }

    @Test
    void shouldWaitNoLongerForASourceThanItMay() throws Exception {
        connectFds(1 + DEVICES);

        MigrationException e = failing(incoming(Duration.ofMillis(100)));

        assertThat(e.reason()).isEqualTo(Reason.TRANSPORT);
        assertThat(e).hasMessageMatching("fd:" + there.getFirst() + ": the other side has been silent for \\d+ ms");
        assertNothingMoved();
    }

    @Test
    void shouldEndWhenItIsCancelledBeforeAnythingCame() throws Exception {
        connectFds(1 + DEVICES);
        IncomingMigration destination = incoming(Duration.ofHours(1));
        Thread cancelling = Thread.ofPlatform().start(() -> {
            assertThat(catchThrowable(events.listening::take)).isNull();
            destination.cancel();
        });

        MigrationException e = failing(destination);

        cancelling.join();
        assertThat(e.reason()).isEqualTo(Reason.CANCELLED);
        assertNothingMoved();
    }

    private MigrationException failing(IncomingMigration destination) {
        MigrationException e = catchThrowableOfType(MigrationException.class, () -> destination.run(fds(there)));
        assertThat(e).isNotNull();
        return e;
    }

    private IncomingMigration incoming(Duration acceptLimit) throws VfioException {
        return new IncomingMigration(
                libc,
                handlers(destinations, "STOP"),
                VirtualMachine.NONE,
                MigrationParameters.builder().acceptLimit(acceptLimit).build(),
                events);
    }
}
