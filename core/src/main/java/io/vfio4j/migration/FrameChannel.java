// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameDecoder;
import io.vfio4j.stream.FrameEncoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Frames over one connection.
 *
 * <p>One thread at a time, except {@link #close}, which any thread may call. Owns the connection.
 */
final class FrameChannel implements AutoCloseable {
    private static final Message EMPTY = new Message.Empty();

    private final Connection connection;
    private final FrameEncoder encoder;
    private final FrameDecoder decoder;
    private final BufferPool messageMemory;
    private final PooledBuffer messageBuffer;

    /** Takes the connection over, also when this fails. */
    FrameChannel(LibC libc, Connection connection, int stream) {
        this.connection = connection;
        this.encoder = new FrameEncoder(stream);
        this.decoder = new FrameDecoder(stream);
        try {
            this.messageMemory = new BufferPool(libc, 1, Frame.MAX_MESSAGE, false);
        } catch (RuntimeException | Error e) {
            connection.close();
            throw e;
        }
        PooledBuffer buffer = messageMemory.tryAcquire();
        if (buffer == null) {
            throw new IllegalStateException("a new pool has no free buffer");
        }
        this.messageBuffer = buffer;
    }

    String peer() {
        return connection.peer();
    }

    void limit(Duration wait) {
        connection.limit(wait);
    }

    void within(@Nullable Duration total) {
        connection.within(total);
    }

    /** Sends a chunk of state. The buffer stays the caller's. */
    void sendData(PooledBuffer chunk) throws TransportException {
        connection.write(encoder.encode(chunk, FrameKind.DATA));
    }

    void send(FrameKind kind, Message message) throws TransportException {
        connection.write(encoder.encode(messageBuffer, kind, message));
    }

    void send(FrameKind kind) throws TransportException {
        send(kind, EMPTY);
    }

    /** Sends END with the totals of all that went before. */
    void sendEnd() throws TransportException {
        send(FrameKind.END, encoder.totals());
    }

    /** Receives the next frame into a buffer, whatever it carries; its payload has been checked. */
    FrameKind receive(PooledBuffer into) throws TransportException, StreamException {
        connection.read(decoder.headerOf(into));
        FrameKind kind = decoder.decodeHeader(into);
        connection.read(decoder.payloadOf(into));
        decoder.verifyPayload(into, kind);
        return kind;
    }

    /**
     * Receives the next frame, which must be of one kind.
     *
     * @return its payload, valid until the next call
     */
    ByteBuffer expect(FrameKind expected) throws IOException {
        FrameKind kind = receive(messageBuffer);
        if (kind != expected) {
            throw unexpected(kind, messageBuffer, expected.toString());
        }
        return decoder.payloadOf(messageBuffer);
    }

    /** Turns a frame that should not have come into an exception: the peer's own words where it has failed. */
    IOException unexpected(FrameKind kind, PooledBuffer in, String expected) throws StreamException {
        if (kind == FrameKind.REFUSE || kind == FrameKind.ABORT) {
            String reason =
                    Message.Failure.readFrom(kind, decoder.payloadOf(in)).reason();
            return kind == FrameKind.REFUSE
                    ? new MigrationException(Reason.REFUSED, peer() + " refuses: " + reason)
                    : new MigrationException(Reason.PEER_FAILED, peer() + " gave up: " + reason);
        }
        return new StreamException(
                StreamException.Problem.UNEXPECTED, peer() + " sent " + kind + " where " + expected + " was due");
    }

    /** Checks an END frame against what has come. */
    void verifyEnd(PooledBuffer end) throws StreamException {
        decoder.verifyTotals(Message.End.readFrom(decoder.payloadOf(end)));
    }

    long dataBytesReceived() {
        return decoder.dataBytes();
    }

    /** Makes sure that nothing follows what was received last. */
    void requireEndOfStream() throws IOException {
        if (!connection.atEnd(messageBuffer.view(0, 1))) {
            throw new StreamException(
                    StreamException.Problem.DAMAGED, peer() + ": there are bytes behind the end of the stream");
        }
    }

    /** After a failure on another connection: asks, for a short while, whether the peer has said why on this one. */
    @Nullable
    MigrationException reasonOfPeer(Duration wait) {
        within(wait);
        try {
            while (true) {
                FrameKind kind = receive(messageBuffer);
                if (unexpected(kind, messageBuffer, "a reason") instanceof MigrationException reason) {
                    return reason;
                }
            }
        } catch (IOException e) {
            return null;
        } finally {
            within(null);
        }
    }

    /** Ends a call that waits for the peer; sending goes on. Any thread. */
    void stopReading() {
        connection.stopReading();
    }

    /**
     * Waits a while until the peer has closed, passing over what it sends: to close with input unread would reset the
     * connection, and that could overtake what was sent last.
     */
    void awaitClose(Duration wait) {
        within(wait);
        try {
            boolean closed = false;
            while (!closed) {
                closed = connection.atEnd(messageBuffer.view(0, PooledBuffer.HEAD_ROOM));
            }
        } catch (TransportException e) {
            close();
        }
    }

    @Override
    public void close() {
        connection.close();
    }

    /** Gives the message buffer's memory back. Called when no thread uses this channel any more. */
    void free() {
        close();
        if (messageMemory.freeCount() == 0) {
            messageMemory.release(messageBuffer);
        }
        messageMemory.close();
    }
}
