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
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.Lock;
import org.jspecify.annotations.Nullable;

/**
 * Frames over one connection.
 *
 * <p>One thread reads and one sends chunks; any thread may send messages and {@link #close}. Owns the connection.
 */
final class FrameChannel implements AutoCloseable {
    private static final Message EMPTY = new Message.Empty();

    private final Connection connection;
    private final FrameEncoder encoder;
    private final FrameDecoder decoder;
    private final Lock sending;
    private final @Nullable SavedPages saved;
    private final List<@Nullable PlacedPages> placed;
    private final BufferPool messageMemory;
    private final PooledBuffer outgoing;
    private final PooledBuffer incoming;

    /** Takes the connection over, also when this fails. */
    FrameChannel(LibC libc, Execution execution, Connection connection, int stream) {
        this(libc, connection, new FrameEncoder(stream), new FrameDecoder(stream), execution.newLock(), null);
    }

    /**
     * One of several channels over one file: they write whole frames, one at a time, under their common lock. Taken
     * once per chunk where nobody else wants it, it costs nothing that shows beside the write of a chunk.
     *
     * @param saved where pages have places, what writes them there: then no frame goes for them before END
     */
    FrameChannel(
            LibC libc,
            Connection connection,
            FrameEncoder encoder,
            FrameDecoder decoder,
            Lock sending,
            @Nullable SavedPages saved) {
        this(libc, connection, encoder, decoder, sending, saved, List.of());
    }

    /** The one channel that a file is read through: the pages that have places in it are only noted. */
    FrameChannel(
            LibC libc, Connection connection, FrameDecoder decoder, Lock sending, List<@Nullable PlacedPages> placed) {
        this(libc, connection, new FrameEncoder(OutgoingPeerLink.FIRST_STREAM), decoder, sending, null, placed);
    }

    private FrameChannel(
            LibC libc,
            Connection connection,
            FrameEncoder encoder,
            FrameDecoder decoder,
            Lock sending,
            @Nullable SavedPages saved,
            List<@Nullable PlacedPages> placed) {
        this.saved = saved;
        this.placed = placed;
        this.connection = connection;
        this.encoder = encoder;
        this.decoder = decoder;
        this.sending = sending;
        try {
            this.messageMemory = new BufferPool(libc, 2, Frame.MAX_MESSAGE, false);
        } catch (RuntimeException | Error e) {
            connection.close();
            throw e;
        }
        this.outgoing = Objects.requireNonNull(messageMemory.tryAcquire());
        this.incoming = Objects.requireNonNull(messageMemory.tryAcquire());
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

    void readsWait(boolean wait) {
        connection.readsWait(wait);
    }

    /**
     * Sends a chunk of state, or a table and the pages that it lists. The buffer stays the caller's, and as it is until
     * {@link #isWritten}.
     *
     * @return what to ask by
     */
    long sendData(PooledBuffer chunk) throws TransportException, StreamException {
        List<MemorySegment> pages = chunk.pages();
        if (pages != null && saved != null) {
            saved.write(chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + chunk.length()), pages);
            return 0;
        }
        sending.lock();
        try {
            if (pages == null) {
                return connection.writeInPlace(encoder.encode(chunk, FrameKind.DATA));
            }
            if (pages.isEmpty()) {
                connection.write(encoder.encodePages(chunk, 0));
            } else {
                ByteBuffer[] all = buffers(pages, 1);
                all[0] = encoder.encodePages(chunk, bytes(pages));
                connection.write(all);
            }
            return 0;
        } finally {
            sending.unlock();
        }
    }

    /** Tells whether a chunk's memory is free again. The thread that sends. */
    boolean isWritten(long write) throws TransportException {
        return connection.isWritten(write);
    }

    /** Waits until a chunk's memory is free again. The thread that sends. */
    void awaitWritten(long write) throws TransportException {
        connection.awaitWritten(write);
    }

    /** How many bytes pages are. */
    static long bytes(List<MemorySegment> pages) {
        long bytes = 0;
        for (MemorySegment each : pages) {
            bytes += each.byteSize();
        }
        return bytes;
    }

    private static ByteBuffer[] buffers(List<MemorySegment> pages, int from) {
        ByteBuffer[] buffers = new ByteBuffer[from + pages.size()];
        for (int i = 0; i < pages.size(); i++) {
            buffers[from + i] = pages.get(i).asByteBuffer();
        }
        return buffers;
    }

    /** Receives the pages behind a table right where they belong. */
    void receivePages(PooledBuffer table, List<MemorySegment> places) throws TransportException {
        if (!places.isEmpty()) {
            connection.read(buffers(places, 0));
        }
        decoder.countPages(table, bytes(places));
        table.pages(places);
    }

    /** Notes a table of pages that lie in places of a file; false where the pages follow the table. */
    boolean notePages(PooledBuffer table) throws IOException {
        int index = Frame.streamOf(table) - OutgoingPeerLink.FIRST_STREAM;
        PlacedPages pages = index < placed.size() ? placed.get(index) : null;
        if (pages == null) {
            return false;
        }
        decoder.countPages(table, pages.note(decoder.payloadOf(table)));
        return true;
    }

    void send(FrameKind kind, Message message) throws TransportException {
        sending.lock();
        try {
            connection.write(encoder.encode(outgoing, kind, message));
        } finally {
            sending.unlock();
        }
    }

    void send(FrameKind kind) throws TransportException {
        send(kind, EMPTY);
    }

    /** Sends something beside the state. */
    void sendExtra(ByteBuffer extra) throws TransportException {
        sending.lock();
        try {
            int length = extra.remaining();
            outgoing.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + length)
                    .put(extra);
            outgoing.length(length);
            connection.write(encoder.encode(outgoing, FrameKind.EXTRA));
        } finally {
            sending.unlock();
        }
    }

    /** Sends END with the totals of all that went before; before it, the index of pages that went to places. */
    void sendEnd() throws TransportException {
        if (saved != null) {
            sendIndex(saved);
        }
        send(FrameKind.END, encoder.totals());
    }

    private void sendIndex(SavedPages pages) throws TransportException {
        sending.lock();
        try {
            long bytes = pages.nextTable(outgoing);
            while (outgoing.length() > 0) {
                connection.write(encoder.encodePages(outgoing, bytes));
                bytes = pages.nextTable(outgoing);
            }
        } finally {
            sending.unlock();
        }
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
     * A message.
     *
     * @param payload valid until the next call
     */
    record Received(FrameKind kind, ByteBuffer payload) {}

    /** Receives the next frame, which is a message. */
    Received receiveMessage() throws IOException {
        FrameKind kind = receive(incoming);
        return new Received(kind, decoder.payloadOf(incoming));
    }

    /**
     * Receives the next frame, which must be of one kind.
     *
     * @return its payload, valid until the next call
     */
    ByteBuffer expect(FrameKind expected) throws IOException {
        Received received = receiveMessage();
        if (received.kind() != expected) {
            throw unexpected(received, expected.toString());
        }
        return received.payload();
    }

    /** Turns a frame that should not have come into an exception: the peer's own words where it has failed. */
    IOException unexpected(Received received, String expected) throws StreamException {
        FrameKind kind = received.kind();
        if (kind == FrameKind.REFUSE || kind == FrameKind.ABORT) {
            String reason = Message.Failure.readFrom(kind, received.payload()).reason();
            return kind == FrameKind.REFUSE
                    ? new MigrationException(Reason.REFUSED, peer() + " refuses: " + reason)
                    : new MigrationException(Reason.PEER_FAILED, peer() + " gave up: " + reason);
        }
        return new StreamException(
                StreamException.Problem.UNEXPECTED, peer() + " sent " + kind + " where " + expected + " was due");
    }

    /** Returns the payload of a frame that was received into a buffer. */
    ByteBuffer payloadOf(PooledBuffer received) {
        return decoder.payloadOf(received);
    }

    /** Checks an END frame against what has come in its stream. */
    void verifyEnd(PooledBuffer end) throws StreamException {
        decoder.verifyTotals(Frame.streamOf(end), Message.End.readFrom(decoder.payloadOf(end)));
    }

    /** Makes sure that nothing follows what was received last. */
    void requireEndOfStream() throws IOException {
        if (!connection.atEnd(incoming.view(0, 1))) {
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
                if (unexpected(receiveMessage(), "a reason") instanceof MigrationException reason) {
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
                closed = connection.atEnd(incoming.view(0, PooledBuffer.HEAD_ROOM));
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
            messageMemory.release(outgoing);
            messageMemory.release(incoming);
        }
        messageMemory.close();
    }
}
