// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Listener;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * A migration from another process.
 *
 * <p>Whatever connects and does not speak vfio4j is turned away with a notice, and the wait goes on: a port scanner or
 * a health check must not be able to end it. Connections that were given have nobody behind them who could be waited
 * for instead, so there it is a failure.
 */
final class IncomingPeerLink implements IncomingLink {
    /** How long a new connection may take to say what it is, all in all: another one may wait behind it. */
    private static final Duration FIRST_FRAME_LIMIT = Duration.ofSeconds(5);

    private final LibC libc;
    private final MigrationParameters parameters;
    private final Execution execution;
    private final MigrationListener listener;
    private final Listener port;
    private final boolean given;
    private volatile @Nullable FrameChannel greeted;
    private volatile @Nullable FrameChannel control;
    private final List<FrameChannel> data = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    IncomingPeerLink(
            LibC libc,
            TransportAddress.Peer address,
            MigrationParameters parameters,
            Execution execution,
            Transport transport,
            MigrationListener listener)
            throws TransportException {
        this.libc = libc;
        this.parameters = parameters;
        this.execution = execution;
        this.listener = listener;
        this.port = transport.listen(address);
        this.given = address instanceof TransportAddress.Given;
        listener.onListening(port.address().toString());
    }

    @Override
    public Message.Hello awaitHello() throws IOException {
        return firstFrame(parameters.acceptLimit(), strangerLimit(), Frame.CONTROL_STREAM, this::hello);
    }

    /** A source that waits behind a stranger is not to lose patience with this side meanwhile. */
    private Duration strangerLimit() {
        Duration half = parameters.peerLimit().dividedBy(2);
        return half.compareTo(FIRST_FRAME_LIMIT) < 0 ? half : FIRST_FRAME_LIMIT;
    }

    private Message.Hello hello(FrameChannel channel) throws IOException {
        Message.Hello hello = Message.Hello.readFrom(channel.expect(FrameKind.HELLO));
        control = channel;
        closeIfClosed(channel);
        return hello;
    }

    @Override
    public void refuse(String reason) {
        refuse(control(), reason);
    }

    private static void refuse(FrameChannel channel, String reason) {
        try {
            channel.send(FrameKind.REFUSE, new Message.Failure(reason));
        } catch (IOException e) {
            // The source is gone; there is nobody to tell.
            channel.close();
        }
    }

    @Override
    public void accept(Message.Hello hello, Message.Accept accept, List<List<StateHandler.PageRange>> pages, Echo echo)
            throws IOException {
        control().send(FrameKind.ACCEPT, accept);
        for (int i = 0; i < OutgoingPeerLink.ECHOES; i++) {
            control().expect(FrameKind.PING);
            echo.prepare();
            control().send(FrameKind.PING);
        }
        for (int i = 0; i < hello.offers().size(); i++) {
            // The source may be silent for as long as ever, but not when a stranger came before it.
            data.add(firstFrame(
                    parameters.peerLimit(),
                    parameters.peerLimit().dividedBy(2),
                    OutgoingPeerLink.FIRST_STREAM + i,
                    opened -> attach(opened, hello.migration())));
            data.forEach(this::closeIfClosed);
        }
        // One source, with as many connections as it offered: nobody else is to connect.
        port.close();
    }

    private static FrameChannel attach(FrameChannel channel, UUID migration) throws IOException {
        Message.Attach attach = Message.Attach.readFrom(channel.expect(FrameKind.ATTACH));
        if (!attach.migration().equals(migration)) {
            throw new StreamException(StreamException.Problem.UNEXPECTED, "it belongs to another migration");
        }
        return channel;
    }

    @Override
    public List<FrameChannel> data() {
        return data;
    }

    @Override
    public @Nullable PlacedPages placed(int stream) {
        return null;
    }

    @Override
    public void acknowledge(Message.Ack ack) throws IOException {
        control().send(FrameKind.ACK, ack);
    }

    @Override
    public void loaded(long nanos) throws IOException {
        control().send(FrameKind.LOADED, new Message.Timed(nanos));
    }

    @Override
    public void awaitCommit() throws IOException {
        control().expect(FrameKind.COMMIT);
    }

    @Override
    public void running(long nanos) throws IOException {
        control().send(FrameKind.RUNNING, new Message.Timed(nanos));
    }

    @Override
    public boolean carriesOn() {
        return true;
    }

    @Override
    public void complete(Message.Complete complete) throws IOException {
        control().send(FrameKind.COMPLETE, complete);
    }

    @Override
    public void abort(String reason) {
        FrameChannel channel = control;
        if (channel != null) {
            try {
                channel.limit(OutgoingPeerLink.REASON_LIMIT);
                channel.send(FrameKind.ABORT, new Message.Failure(reason));
            } catch (IOException e) {
                // The source is gone; it notices by itself that the connection is.
                close();
            }
        }
    }

    @Override
    public @Nullable MigrationException reasonOfPeer() {
        FrameChannel channel = control;
        return channel == null ? null : channel.reasonOfPeer(OutgoingPeerLink.REASON_LIMIT);
    }

    @Override
    public void closeData() {
        data.forEach(FrameChannel::close);
    }

    @Override
    public void interrupt() {
        closed = true;
        port.close();
        closeGreeted();
        FrameChannel first = control;
        if (first != null) {
            first.stopReading();
        }
        closeData();
    }

    @Override
    public void close() {
        closed = true;
        port.close();
        FrameChannel first = control;
        if (first != null) {
            first.close();
        }
        closeData();
    }

    @Override
    public void free() {
        close();
        FrameChannel first = control;
        if (first != null) {
            first.free();
        }
        data.forEach(FrameChannel::free);
    }

    private FrameChannel control() {
        FrameChannel channel = control;
        if (channel == null) {
            throw new IllegalStateException("there is no control connection before awaitHello()");
        }
        return channel;
    }

    /** Whoever has not said yet what it is needs no word of why. */
    private void closeGreeted() {
        FrameChannel channel = greeted;
        if (channel != null) {
            channel.close();
        }
    }

    private void closeIfClosed(FrameChannel channel) {
        if (closed) {
            channel.close();
        }
    }

    /** Accepts connections until one begins as it should. */
    private <T> T firstFrame(Duration wait, Duration frameLimit, int stream, Greeting<T> greeting) throws IOException {
        long deadline = execution.nanoTime() + wait.toNanos();
        while (true) {
            Duration left = Duration.ofNanos(deadline - execution.nanoTime());
            // One that was given is there before its other end has anything to say.
            Connection connection = port.accept(left, given ? left : parameters.peerLimit());
            FrameChannel channel = new FrameChannel(libc, execution, connection, stream);
            boolean taken = false;
            try {
                greeted = channel;
                closeIfClosed(channel);
                channel.within(given ? left : frameLimit);
                T result = greeting.read(channel);
                channel.within(null);
                channel.limit(parameters.peerLimit());
                taken = true;
                return result;
            } catch (IOException e) {
                refuseOtherVersion(channel, stream, e);
                if (given) {
                    throw ofGiven(channel, e);
                }
                listener.onNotice("turned away " + channel.peer() + ": " + whyTurnedAway(e));
            } finally {
                greeted = null;
                if (!taken) {
                    channel.free();
                }
            }
        }
    }

    /** A source of another version is no stranger: both sides are to hear why they cannot go on. */
    private static void refuseOtherVersion(FrameChannel channel, int stream, IOException e) throws StreamException {
        if (stream == Frame.CONTROL_STREAM
                && e instanceof StreamException unreadable
                && unreadable.problem() == StreamException.Problem.OTHER_VERSION) {
            refuse(channel, MigrationException.message(e));
            channel.awaitClose(OutgoingPeerLink.REASON_LIMIT);
            throw new StreamException(unreadable.problem(), channel.peer() + ": " + MigrationException.message(e));
        }
    }

    private static String whyTurnedAway(IOException e) {
        return switch (e) {
            case TransportException silent -> "it did not say what it is";
            case MigrationException gaveUp -> "it gave up before it began";
            default -> MigrationException.message(e);
        };
    }

    private static IOException ofGiven(FrameChannel channel, IOException e) {
        return e instanceof StreamException misplaced
                ? new StreamException(
                        misplaced.problem(),
                        channel.peer() + ": " + MigrationException.message(e)
                                + "; both sides give their connections in the same order")
                : e;
    }

    /** Reads the first frame of a connection. */
    @FunctionalInterface
    private interface Greeting<T> {
        T read(FrameChannel channel) throws IOException;
    }
}
