// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.Errno;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Listener;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** One side of a migration against a peer that the test plays frame by frame, and that goes away when it hurts. */
@ExtendWith(LeakCheck.class)
class HandoverTest {
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("mdev:script", "scripted");
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Message.Hello HELLO = new Message.Hello(
            new UUID(3, 4),
            4096,
            List.of(new Message.Offer(
                    "device0",
                    "vfio",
                    1,
                    Map.of(
                            "type",
                            IDENTITY.type(),
                            "driver",
                            IDENTITY.driver(),
                            "features",
                            Integer.toString(ScriptedDevice.ALL),
                            "config",
                            "none"))));

    @TempDir
    private Path folder;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final List<String> vmCalls = Collections.synchronizedList(new ArrayList<>());
    private final List<String> notices = Collections.synchronizedList(new ArrayList<>());
    private final BlockingQueue<String> listening = new ArrayBlockingQueue<>(1);
    private TransportAddress.Peer address;
    private final Execution execution = new ThreadedExecution(libc, ThreadedExecution.OWN_THREADS);
    private Transport transport;
    private ScriptedDevice script;

    @BeforeEach
    void start() {
        address = new TransportAddress.Unix(folder.resolve("socket"));
        transport = execution.openTransport();
        script = new ScriptedDevice(libc);
        script.preCopyState = new byte[10_000];
        script.stopCopyState = new byte[5_000];
    }

    @AfterEach
    void stop() {
        script.close();
        transport.close();
    }

    @Test
    void shouldBeInDoubtWhenTheDestinationIsLostAfterCommit() throws Exception {
        OutgoingMigration migration = outgoing(LIMIT);
        try (Destination destination = new Destination()) {
            FutureTask<MigrationException> source = running(() -> migration.run(address));
            FrameChannel control = destination.receiveAll();
            control.send(FrameKind.LOADED, new Message.Timed(1));
            control.expect(FrameKind.COMMIT);
            destination.disconnect();

            assertThat(source.get().reason()).isEqualTo(Reason.IN_DOUBT);
        }
        assertThat(script.state()).isEqualTo("STOP_COPY");
        assertThat(vmCalls).containsExactly("stop");
        assertThat(migration.cancel()).isFalse();

        migration.resolve(OutgoingMigration.Resolution.KEEP_STOPPED);

        assertThat(script.state()).isEqualTo("STOP");
        assertThat(vmCalls).containsExactly("stop");
    }

    @Test
    void shouldStayInDoubtWhenItCannotBeResolvedYet() throws Exception {
        OutgoingMigration migration = outgoing(LIMIT);
        try (Destination destination = new Destination()) {
            FutureTask<MigrationException> source = running(() -> migration.run(address));
            FrameChannel control = destination.receiveAll();
            control.send(FrameKind.LOADED, new Message.Timed(1));
            control.expect(FrameKind.COMMIT);
            destination.disconnect();
            assertThat(source.get().reason()).isEqualTo(Reason.IN_DOUBT);
        }
        script.failSet("RUNNING", Errno.EIO, "STOP").failSet("RUNNING", Errno.EIO, "STOP");

        assertThatThrownBy(() -> migration.resolve(OutgoingMigration.Resolution.RESUME_SOURCE))
                .isInstanceOf(MigrationException.class)
                .hasMessageContaining("setting state RUNNING failed");
        assertThat(vmCalls).containsExactly("stop");

        migration.resolve(OutgoingMigration.Resolution.RESUME_SOURCE);
        assertThat(script.state()).isEqualTo("RUNNING");
        assertThat(vmCalls).containsExactly("stop", "resume");
    }

    @Test
    void shouldRunOnWhenTheDestinationIsLostBeforeLoaded() throws Exception {
        try (Destination destination = new Destination()) {
            FutureTask<MigrationException> source =
                    running(() -> outgoing(LIMIT).run(address));
            destination.receiveAll();
            destination.disconnect();

            assertThat(source.get().reason()).isEqualTo(Reason.TRANSPORT);
        }
        assertThat(script.state()).isEqualTo("RUNNING");
        assertThat(vmCalls).containsExactly("stop", "resume");
    }

    @Test
    void shouldRunOnWhenTheDestinationGoesSilent() throws Exception {
        try (Destination destination = new Destination()) {
            FutureTask<MigrationException> source =
                    running(() -> outgoing(Duration.ofMillis(200)).run(address));
            MigrationException e = source.get();

            assertThat(e.reason()).isEqualTo(Reason.TRANSPORT);
            assertThat(e).hasMessageContaining("silent for 200 ms");
            destination.disconnect();
        }
        assertThat(script.state()).isEqualTo("RUNNING");
        assertThat(vmCalls).isEmpty();
    }

    @Test
    void shouldSayWhatThePeerSpeaksWhenItIsNoVfio4j() throws Exception {
        try (Destination destination = new Destination()) {
            FutureTask<MigrationException> source =
                    running(() -> outgoing(LIMIT).run(address));
            Connection connection = destination.listener.accept(LIMIT, LIMIT);
            connection.write(direct("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
            MigrationException e = source.get();
            connection.close();

            assertThat(e.reason()).isEqualTo(Reason.PROTOCOL);
            assertThat(e).hasMessageContaining("this is no stream of vfio4j");
        }
    }

    @Test
    void shouldResetWhenTheSourceIsLostBeforeCommit() throws Exception {
        script.in("STOP");
        IncomingMigration migration = incoming();
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Source source = new Source()) {
            source.offer();
            source.data().sendEnd();
            source.control.expect(FrameKind.LOADED);
            assertThat(script.state()).isEqualTo("STOP");
            source.disconnect();

            assertThat(destination.get().reason()).isEqualTo(Reason.TRANSPORT);
        }
        assertThat(script.calls()).contains("RESET");
        assertThat(vmCalls).isEmpty();
    }

    @Test
    void shouldRunTheDeviceWhenTheSourceIsLostAfterCommit() throws Exception {
        script.in("STOP");
        IncomingMigration migration = incoming();
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Source source = new Source()) {
            source.offer();
            source.data().sendEnd();
            source.control.expect(FrameKind.LOADED);
            source.control.send(FrameKind.COMMIT);
            source.disconnect();

            assertThat(destination.get()).isNull();
        }
        assertThat(script.state()).isEqualTo("RUNNING");
        assertThat(vmCalls).containsExactly("resume");
    }

    @Test
    void shouldRunOnAndSayWhatIsMissingWhenTheSourceIsLostAfterTheSwitchover() throws Exception {
        script.in("STOP");
        IncomingMigration migration = incoming(HandoverTest::takingLater);
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Source source = new Source()) {
            afterSwitchover(source);
            source.disconnect();

            assertThat(destination.get()).isNull();
        }
        assertThat(script.state()).isEqualTo("RUNNING");
        assertThat(notices).anyMatch(notice -> notice.contains("what could wait has not come: device0: "));
    }

    @Test
    void shouldTellTheSourceWhenWhatCouldWaitIsNotAsItShouldBe() throws Exception {
        List<Step> wrong = List.of(
                data -> data.send(FrameKind.END, new Message.End(7, 7)),
                data -> data.send(FrameKind.SWITCHOVER),
                data -> data.send(FrameKind.LATER),
                data -> data.send(FrameKind.COMMIT));
        for (Step step : wrong) {
            script.in("STOP");
            IncomingMigration migration = incoming(HandoverTest::takingLater);
            FutureTask<MigrationException> destination = running(() -> migration.run(address));
            listening.take();
            try (Source source = new Source()) {
                FrameChannel data = afterSwitchover(source);
                step.on(data);

                Message.Complete complete = Message.Complete.readFrom(source.control.expect(FrameKind.COMPLETE));
                assertThat(complete.missing())
                        .singleElement()
                        .extracting(Message.Missing::stream)
                        .isEqualTo(1);
                assertThat(destination.get()).isNull();
            }
            assertThat(script.state()).isEqualTo("RUNNING");
        }
    }

    @FunctionalInterface
    private interface Step {
        void on(FrameChannel data) throws IOException;
    }

    /** Offers state of which some can wait, and lets the destination run. */
    private static FrameChannel afterSwitchover(Source source) throws IOException {
        source.offer();
        FrameChannel data = source.data();
        data.send(FrameKind.SWITCHOVER);
        data.send(FrameKind.LATER);
        data.sendEnd();
        source.control.expect(FrameKind.LOADED);
        source.control.send(FrameKind.COMMIT);
        source.control.expect(FrameKind.RUNNING);
        return data;
    }

    @Test
    void shouldRefuseWhatCouldWaitBeforeTheSwitchover() throws Exception {
        script.in("STOP");
        IncomingMigration migration = incoming();
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Source source = new Source()) {
            source.offer();
            source.data().send(FrameKind.LATER);

            assertThat(destination.get())
                    .hasMessageContaining("the source sent LATER where it has no place")
                    .extracting(MigrationException::reason)
                    .isEqualTo(Reason.PROTOCOL);
        }
        assertThat(vmCalls).isEmpty();
    }

    @Test
    void shouldRefuseWhatCouldWaitOfADeviceOfWhichNothingCan() throws Exception {
        script.in("STOP");
        IncomingMigration migration = incoming();
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Source source = new Source()) {
            source.offer();
            source.data().send(FrameKind.SWITCHOVER);
            source.data().send(FrameKind.LATER);

            assertThat(destination.get())
                    .hasMessageStartingWith("device0: the source sent LATER, and this handler's takesLater says")
                    .extracting(MigrationException::reason)
                    .isEqualTo(Reason.PROTOCOL);
        }
        assertThat(vmCalls).isEmpty();
    }

    @Test
    void shouldTurnStrangersAwayAndWaitOn() throws Exception {
        script.in("STOP");
        IncomingMigration migration = incoming();
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Connection stranger = transport.connect(address, LIMIT)) {
            stranger.write(direct("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            transport.connect(address, LIMIT).close();
        }
        try (Source source = new Source()) {
            source.offer();
            source.data().sendEnd();
            source.control.expect(FrameKind.LOADED);
            source.control.send(FrameKind.COMMIT);
            source.control.expect(FrameKind.RUNNING);
        }
        assertThat(destination.get()).isNull();
        assertThat(notices).hasSize(2).allMatch(notice -> notice.startsWith("turned away "));
    }

    @Test
    void shouldRefuseAnotherVersion() throws Exception {
        IncomingMigration migration = incoming();
        FutureTask<MigrationException> destination = running(() -> migration.run(address));
        listening.take();
        try (Connection other = transport.connect(address, LIMIT)) {
            ByteBuffer header = ByteBuffer.allocateDirect(Frame.HEADER_BYTES);
            other.write(header.put("VF4J".getBytes(StandardCharsets.US_ASCII))
                    .put((byte) 9)
                    .clear());
            ByteBuffer answer = ByteBuffer.allocateDirect(Frame.HEADER_BYTES);
            other.read(answer);

            assertThat(answer.get(5)).isEqualTo((byte) FrameKind.REFUSE.code());
        }
        MigrationException e = destination.get();
        assertThat(e.reason()).isEqualTo(Reason.PROTOCOL);
        assertThat(e).hasMessageContaining("the stream has version 9, this vfio4j speaks version 3");
    }

    private OutgoingMigration outgoing(Duration peerLimit) throws IOException {
        MigrationParameters parameters = MigrationParameters.builder()
                .chunkBytes(4096)
                .downtimeLimit(Duration.ofHours(1))
                .peerLimit(peerLimit)
                .build();
        return new OutgoingMigration(
                libc,
                VfioDeviceHandler.inOrder(device()),
                vm(),
                parameters,
                SwitchoverPolicy.STANDARD,
                MigrationListener.NONE);
    }

    private IncomingMigration incoming() throws IOException {
        return incoming(handler -> handler);
    }

    /** The same handler, of which something could wait. */
    private static StateHandler takingLater(StateHandler handler) {
        return (StateHandler) Proxy.newProxyInstance(
                StateHandler.class.getClassLoader(),
                new Class<?>[] {StateHandler.class},
                (proxy, method, arguments) -> {
                    try {
                        return method.getName().equals("takesLater") ? true : method.invoke(handler, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private IncomingMigration incoming(UnaryOperator<StateHandler> as) throws IOException {
        MigrationListener listener = new MigrationListener() {
            @Override
            public void onListening(String at) {
                listening.add(at);
            }

            @Override
            public void onNotice(String text) {
                notices.add(text);
            }
        };
        List<StateHandler> handlers = VfioDeviceHandler.inOrder(device()).stream()
                .<StateHandler>map(as)
                .toList();
        return new IncomingMigration(libc, handlers, vm(), MigrationParameters.DEFAULT, listener);
    }

    private VfioDevice device() throws IOException {
        return VfioDevice.adopt(libc, script.fd(), "dev", IDENTITY);
    }

    private VirtualMachine vm() {
        return new VirtualMachine() {
            @Override
            public void stop() {
                vmCalls.add("stop");
            }

            @Override
            public void resume() {
                vmCalls.add("resume");
            }
        };
    }

    /** Runs one side on a thread of its own; the result is its failure, or null. */
    private static FutureTask<MigrationException> running(Callable<?> side) {
        FutureTask<MigrationException> task = new FutureTask<>(() -> failureOf(side));
        Thread.ofPlatform().start(task);
        return task;
    }

    private static @Nullable MigrationException failureOf(Callable<?> side) throws Exception {
        try {
            side.call();
            return null;
        } catch (MigrationException e) {
            return e;
        }
    }

    private static ByteBuffer direct(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    /** A destination that the test plays. */
    private final class Destination implements AutoCloseable {
        private final Listener listener = transport.listen(address);
        private final List<FrameChannel> channels = new ArrayList<>();

        Destination() throws IOException {}

        /** Takes the offer and all of the state; returns the control connection. */
        FrameChannel receiveAll() throws IOException {
            FrameChannel control = accept(Frame.CONTROL_STREAM);
            control.expect(FrameKind.HELLO);
            control.send(FrameKind.ACCEPT, new Message.Accept(0, 0));
            for (int i = 0; i < OutgoingPeerLink.ECHOES; i++) {
                control.expect(FrameKind.PING);
                control.send(FrameKind.PING);
            }
            FrameChannel data = accept(1);
            data.expect(FrameKind.ATTACH);
            try (BufferPool pool = new BufferPool(libc, 2, 4096, false)) {
                ChunkReceiver receiver = new ChunkReceiver.Direct(pool, data, (stream, table) -> List.of(), 1);
                for (var chunk = receiver.next(); chunk != null; chunk = receiver.next()) {
                    if (Frame.kindOf(chunk) == FrameKind.ACK_WANTED) {
                        control.send(FrameKind.ACK, Message.Ack.readFrom(FrameKind.ACK_WANTED, data.payloadOf(chunk)));
                    }
                    receiver.release(chunk);
                }
            }
            return control;
        }

        private FrameChannel accept(int stream) throws IOException {
            FrameChannel channel = new FrameChannel(libc, execution, listener.accept(LIMIT, LIMIT), stream);
            channels.add(channel);
            return channel;
        }

        void disconnect() {
            channels.forEach(FrameChannel::close);
            listener.close();
        }

        @Override
        public void close() {
            disconnect();
            channels.forEach(FrameChannel::free);
        }
    }

    /** A source that the test plays. */
    private final class Source implements AutoCloseable {
        private final FrameChannel control;
        private @Nullable FrameChannel data;

        Source() throws IOException {
            control = new FrameChannel(libc, execution, transport.connect(address, LIMIT), Frame.CONTROL_STREAM);
        }

        void offer() throws IOException {
            control.send(FrameKind.HELLO, HELLO);
            control.expect(FrameKind.ACCEPT);
            for (int i = 0; i < OutgoingPeerLink.ECHOES; i++) {
                control.send(FrameKind.PING);
                control.expect(FrameKind.PING);
            }
            FrameChannel opened = new FrameChannel(libc, execution, transport.connect(address, LIMIT), 1);
            data = opened;
            opened.send(FrameKind.ATTACH, new Message.Attach(HELLO.migration()));
        }

        FrameChannel data() {
            return Objects.requireNonNull(data);
        }

        void disconnect() {
            control.close();
            data().close();
        }

        @Override
        public void close() {
            control.free();
            data().free();
        }
    }
}
