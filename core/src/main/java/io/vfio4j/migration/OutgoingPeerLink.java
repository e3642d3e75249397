// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A migration to another process: a control connection, and a data connection for each handler.
 *
 * <p>While the state goes, a thread listens on the control connection: for acknowledgements, for the answers of the
 * handover, and for a destination that gives up.
 */
final class OutgoingPeerLink implements OutgoingLink {
    /** How long to look for the peer's own words after its connection failed. */
    static final Duration REASON_LIMIT = Duration.ofSeconds(1);

    static final int FIRST_STREAM = 1;

    /** How many PINGs the destination sends back after ACCEPT, to measure the round trip. */
    static final int ECHOES = 3;

    private final LibC libc;
    private final TransportAddress.Peer address;
    private final MigrationParameters parameters;
    private final Execution execution;
    private final Transport transport;
    private final FrameChannel control;
    private final List<FrameChannel> data = new CopyOnWriteArrayList<>();
    private final AtomicIntegerArray acks = new AtomicIntegerArray(Message.Hello.MAX_OFFERS + FIRST_STREAM);
    private Execution.@Nullable Task listening;
    private volatile boolean closed;
    private volatile boolean loaded;
    private volatile boolean running;
    private volatile boolean later;
    private volatile Message.@Nullable Complete complete;
    private volatile @Nullable IOException end;

    OutgoingPeerLink(
            LibC libc,
            TransportAddress.Peer address,
            MigrationParameters parameters,
            Execution execution,
            Transport transport)
            throws TransportException {
        this.libc = libc;
        this.address = address;
        this.parameters = parameters;
        this.execution = execution;
        this.transport = transport;
        this.control = new FrameChannel(
                libc, execution, transport.connect(address, parameters.peerLimit()), Frame.CONTROL_STREAM);
    }

    /** Refuses given connections, before anything is touched, that are too few or too many. */
    static void requireConnections(TransportAddress address, int handlers) throws TransportException {
        int needed = FIRST_STREAM + handlers;
        if (address instanceof TransportAddress.Given given && given.count() != needed) {
            throw new TransportException(
                    TransportException.Problem.UNREACHABLE,
                    given + ": " + handlers + (handlers == 1 ? " handler needs " : " handlers need ") + needed
                            + " connections, one for control and one for each, and " + given.count()
                            + (given.count() == 1 ? " is given" : " are given"),
                    null);
        }
    }

    @Override
    public Negotiated negotiate(Message.Hello hello, List<List<StateHandler.PageRange>> pages) throws IOException {
        control.send(FrameKind.HELLO, hello);
        Message.Accept accept = Message.Accept.readFrom(control.expect(FrameKind.ACCEPT));
        long roundTrip = roundTripNanos();
        for (int i = 0; i < hello.offers().size(); i++) {
            FrameChannel opened = new FrameChannel(
                    libc, execution, transport.connect(address, parameters.peerLimit()), FIRST_STREAM + i);
            data.add(opened);
            if (closed) {
                opened.close();
            }
            opened.send(FrameKind.ATTACH, new Message.Attach(hello.migration()));
        }
        control.readsWait(true);
        listening = execution.start("control", this::listen);
        return new Negotiated(roundTrip, accept.loadNanos(), accept.resumeNanos());
    }

    /** The first echo finds both sides cold, and the fastest one is not what will be: the middle one counts. */
    private long roundTripNanos() throws IOException {
        long[] nanos = new long[ECHOES];
        for (int i = 0; i < ECHOES; i++) {
            execution.rest();
            long begin = execution.nanoTime();
            control.send(FrameKind.PING);
            control.expect(FrameKind.PING);
            nanos[i] = execution.nanoTime() - begin;
        }
        Arrays.sort(nanos);
        return nanos[ECHOES / 2];
    }

    private void listen() {
        try {
            while (!running || (later && complete == null)) {
                FrameChannel.Received received = control.receiveMessage();
                switch (received.kind()) {
                    case ACK -> acknowledged(Message.Ack.readFrom(FrameKind.ACK, received.payload()));
                    case LOADED -> loaded = true;
                    case RUNNING -> running = true;
                    case COMPLETE -> complete = Message.Complete.readFrom(received.payload());
                    default -> throw control.unexpected(received, "an answer");
                }
                execution.changed();
            }
        } catch (IOException e) {
            end = e;
        } finally {
            execution.changed();
        }
    }

    private void acknowledged(Message.Ack ack) throws StreamException {
        if (ack.stream() < FIRST_STREAM || ack.stream() >= FIRST_STREAM + data.size()) {
            throw new StreamException(
                    StreamException.Problem.UNEXPECTED, control.peer() + " acknowledges stream " + ack.stream());
        }
        acks.set(ack.stream(), ack.number());
    }

    @Override
    public FrameChannel data(int stream) {
        return data.get(stream - FIRST_STREAM);
    }

    @Override
    public boolean givesAcks() {
        return parameters.switchoverAck();
    }

    @Override
    public int acks(int stream) {
        return acks.get(stream);
    }

    @Override
    public boolean hasEnded() {
        return end != null;
    }

    @Override
    public void settle() {}

    @Override
    public boolean mayBeCommitted() {
        return true;
    }

    @Override
    public void awaitLoaded() throws IOException {
        await("LOADED", () -> loaded);
    }

    @Override
    public void commit() throws IOException {
        control.send(FrameKind.COMMIT);
    }

    @Override
    public void awaitRunning() throws IOException {
        await("RUNNING", () -> running);
    }

    @Override
    public boolean carriesOn() {
        return true;
    }

    @Override
    public void announceLater() {
        later = true;
    }

    @Override
    public List<Message.Missing> awaitComplete() throws IOException {
        await("COMPLETE", () -> complete != null);
        return Objects.requireNonNull(complete).missing();
    }

    private void await(String what, BooleanSupplier answered) throws IOException {
        long limit = parameters.peerLimit().toNanos();
        boolean ended = execution.await(execution.nanoTime() + limit, () -> answered.getAsBoolean() || end != null);
        if (answered.getAsBoolean()) {
            return;
        }
        IOException e = end;
        if (ended && e != null) {
            throw e;
        }
        throw new MigrationException(
                Reason.TRANSPORT,
                control.peer() + ": the other side has been silent for "
                        + parameters.peerLimit().toMillis() + " ms, when " + what + " was due");
    }

    @Override
    public void abort(String reason) {
        try {
            control.limit(REASON_LIMIT);
            control.send(FrameKind.ABORT, new Message.Failure(reason));
        } catch (IOException e) {
            // The peer is gone; it notices by itself that the connection is.
            control.close();
        }
    }

    @Override
    public @Nullable MigrationException reasonOfPeer() {
        if (listening == null) {
            return control.reasonOfPeer(REASON_LIMIT);
        }
        execution.await(execution.nanoTime() + REASON_LIMIT.toNanos(), () -> end != null || running);
        return end instanceof MigrationException reason ? reason : null;
    }

    @Override
    public void closeData() {
        data.forEach(FrameChannel::close);
    }

    @Override
    public void interrupt() {
        closed = true;
        control.stopReading();
        closeData();
    }

    @Override
    public void close() {
        closed = true;
        control.close();
        closeData();
    }

    @Override
    public void free() {
        close();
        if (listening != null) {
            listening.join();
        }
        control.free();
        data.forEach(FrameChannel::free);
    }
}
