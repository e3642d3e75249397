// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import io.vfio4j.transport.Transports;
import io.vfio4j.transport.Watchdog;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A migration to another process: a control connection, and a data connection of the device's own. */
final class OutgoingPeerLink implements OutgoingLink {
    /** How long to look for the peer's own words after its connection failed. */
    static final Duration REASON_LIMIT = Duration.ofSeconds(1);

    static final int FIRST_DEVICE_STREAM = 1;

    /** How many PINGs the destination sends back after ACCEPT, to measure the round trip. */
    static final int ECHOES = 3;

    private final LibC libc;
    private final TransportAddress.Peer address;
    private final MigrationParameters parameters;
    private final Watchdog watchdog;
    private final FrameChannel control;
    private volatile @Nullable FrameChannel data;
    private volatile boolean closed;

    OutgoingPeerLink(LibC libc, TransportAddress.Peer address, MigrationParameters parameters, Watchdog watchdog)
            throws TransportException {
        this.libc = libc;
        this.address = address;
        this.parameters = parameters;
        this.watchdog = watchdog;
        this.control = new FrameChannel(
                libc, Transports.connect(address, parameters.peerLimit(), watchdog), Frame.CONTROL_STREAM);
    }

    @Override
    public Negotiated negotiate(Message.Hello hello) throws IOException {
        control.send(FrameKind.HELLO, hello);
        Message.Accept accept = Message.Accept.readFrom(control.expect(FrameKind.ACCEPT));
        long roundTrip = roundTripNanos();
        FrameChannel opened = new FrameChannel(
                libc, Transports.connect(address, parameters.peerLimit(), watchdog), FIRST_DEVICE_STREAM);
        data = opened;
        if (closed) {
            opened.close();
        }
        opened.send(FrameKind.ATTACH, new Message.Attach(hello.migration()));
        return new Negotiated(roundTrip, accept.loadNanos() + accept.resumeNanos());
    }

    /** The first echo finds both sides cold, so the fastest of a few counts. */
    private long roundTripNanos() throws IOException {
        long fastest = Long.MAX_VALUE;
        for (int i = 0; i < ECHOES; i++) {
            long begin = System.nanoTime();
            control.send(FrameKind.PING);
            control.expect(FrameKind.PING);
            fastest = Math.min(fastest, System.nanoTime() - begin);
        }
        return fastest;
    }

    @Override
    public FrameChannel data() {
        FrameChannel channel = data;
        if (channel == null) {
            throw new IllegalStateException("there is no data connection before negotiate()");
        }
        return channel;
    }

    @Override
    public void settle() {}

    @Override
    public boolean mayBeCommitted() {
        return true;
    }

    @Override
    public long awaitLoaded() throws IOException {
        return Message.Timed.readFrom(FrameKind.LOADED, control.expect(FrameKind.LOADED))
                .nanos();
    }

    @Override
    public void commit() throws IOException {
        control.send(FrameKind.COMMIT);
    }

    @Override
    public void awaitRunning() throws IOException {
        control.expect(FrameKind.RUNNING);
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
        return control.reasonOfPeer(REASON_LIMIT);
    }

    @Override
    public void interrupt() {
        closed = true;
        control.stopReading();
        FrameChannel channel = data;
        if (channel != null) {
            channel.close();
        }
    }

    @Override
    public void close() {
        closed = true;
        control.close();
        FrameChannel channel = data;
        if (channel != null) {
            channel.close();
        }
    }

    @Override
    public void free() {
        close();
        control.free();
        FrameChannel channel = data;
        if (channel != null) {
            channel.free();
        }
    }
}
