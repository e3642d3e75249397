// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.observe.HandlerLoadReport;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.StreamException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One handler at the destination, and the thread that its calls are made on. */
final class IncomingStream implements Crew.Member {
    private final String name;
    private final StateHandler handler;
    private final Execution execution;
    private final Worker worker;
    private volatile long bytes;
    private volatile long rehearsalNanos;
    private volatile long loadNanos;
    private volatile long quiescedNanos;
    private volatile long runningNanos;
    private volatile StateHandler.Rehearsal rehearsal = StateHandler.Rehearsal.NOTHING;
    /** Never committed: it tells whether anybody wants to hear of each piece, without an allocation. */
    private final PieceEvent pieces = new PieceEvent();

    private boolean touched;
    private boolean switchedOver;
    private boolean runs;
    private volatile boolean later;
    private @Nullable BufferPool pool;

    IncomingStream(KnownHandler known, Execution execution) {
        this.name = known.name();
        this.handler = known.handler();
        this.execution = execution;
        this.worker = new Worker(execution, "load", name, this::end);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Worker worker() {
        return worker;
    }

    StateHandler handler() {
        return handler;
    }

    long bytes() {
        return bytes;
    }

    HandlerLoadReport report() {
        return new HandlerLoadReport(name(), bytes, rehearsalNanos, loadNanos, quiescedNanos, runningNanos);
    }

    StateHandler.Rehearsal rehearsal() {
        return rehearsal;
    }

    /** Worker: does what the downtime will ask for. */
    void rehearse() throws IOException {
        touched = true;
        rehearsalNanos = timed(() -> rehearsal = handler.rehearse());
    }

    /** Worker: lets the driver check what was loaded. */
    void loadFinish() throws IOException {
        loadNanos = timed(handler::loadFinish);
    }

    /** Worker: the first step up. */
    void resumeQuiesced() throws IOException {
        quiescedNanos = timed(handler::resumeQuiesced);
    }

    /** Worker: the second step up. */
    void resume() throws IOException {
        runningNanos = timed(handler::resume);
        runs = true;
    }

    private long timed(Worker.Action call) throws IOException {
        long begin = execution.nanoTime();
        call.run();
        return execution.nanoTime() - begin;
    }

    /** Worker: gets ready, with the memory that chunks come into. */
    void setUp(BufferPool chunks) throws IOException {
        pool = chunks;
        BuffersEvent.record(name(), chunks);
        handler.loadSetup();
    }

    /** Worker: what receives into this handler's memory. */
    ChunkReceiver receiver(
            MigrationParameters parameters,
            Execution execution,
            FrameChannel channel,
            List<IncomingStream> all,
            int streams) {
        return ChunkReceiver.of(
                parameters,
                execution,
                Objects.requireNonNull(pool),
                channel,
                (stream, table) -> place(all.get(stream - OutgoingPeerLink.FIRST_STREAM), table),
                streams);
    }

    private List<MemorySegment> place(IncomingStream of, ByteBuffer table) throws IOException {
        // Before a byte of it is read: it would go right into the memory of a virtual machine that may run.
        of.requireInItsPlace(FrameKind.PAGES);
        worker.places(true);
        try {
            return of.handler.placePages(table);
        } finally {
            worker.places(false);
        }
    }

    /** Worker: throws away what was loaded, if what was there before is lost. */
    void discard() throws IOException {
        if (touched) {
            handler.discard();
        }
    }

    /** Worker: keeps what was loaded. */
    void hold() throws IOException {
        if (!handler.hold()) {
            throw new IOException("its state is lost here");
        }
    }

    /** Worker: loads what comes through a channel, for one handler or for all of them. */
    void receive(ChunkReceiver receiver, FrameChannel channel, IncomingLink link, List<IncomingStream> all)
            throws IOException {
        boolean whole = false;
        try {
            PooledBuffer frame = next(receiver);
            while (frame != null) {
                try {
                    int stream = Frame.streamOf(frame);
                    all.get(stream - OutgoingPeerLink.FIRST_STREAM).load(frame, channel, link);
                } finally {
                    receiver.release(frame);
                }
                frame = next(receiver);
            }
            whole = true;
        } finally {
            if (!whole) {
                // The source shall hear why, so only the data connection is closed here.
                channel.close();
            }
            receiver.close();
        }
    }

    /** Worker: loads the pages that lie in places of a file, when all else of it has come. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread at a time writes it
    void loadPlaced(PlacedPages placed) throws IOException {
        PooledBuffer buffer =
                Objects.requireNonNull(Objects.requireNonNull(pool).tryAcquire());
        try {
            for (PlacedPages.Table table : placed.tables()) {
                worker.awaitsPeer();
                ByteBuffer read = placed.read(table, buffer);
                worker.alive();
                List<MemorySegment> places = handler.placePages(read);
                worker.awaitsPeer();
                long length = placed.read(read, places);
                worker.alive();
                handler.loadPages(read);
                worker.alive();
                bytes += length;
                if (pieces.isEnabled()) {
                    PieceEvent.record(name(), (int) length, false);
                }
            }
        } finally {
            worker.alive();
            pool.release(buffer);
        }
    }

    /** Tells whether the source has state of this handler that could wait. */
    boolean hasLater() {
        return later;
    }

    /** What gives the later state. */
    @FunctionalInterface
    interface LaterReceiver {
        ChunkReceiver open(FrameChannel channel);
    }

    /** Worker: all runs here, and what could wait is loaded; from a file it has come already. */
    void loadLater(@Nullable FrameChannel channel, LaterReceiver opener, IncomingLink link, List<IncomingStream> all)
            throws IOException {
        try {
            if (channel != null) {
                receive(opener.open(channel), channel, link, all);
            }
            handler.laterLoaded();
        } catch (IOException e) {
            throw lost(e);
        } catch (RuntimeException | Error e) {
            throw lost(new IOException("unexpected: " + e, e));
        }
    }

    /** The handler is to know, and its failure to take it is no reason to hide the first one. */
    private IOException lost(IOException cause) {
        worker.alive();
        try {
            handler.laterLost(cause);
        } catch (RuntimeException | Error e) {
            cause.addSuppressed(e);
        }
        return cause;
    }

    private @Nullable PooledBuffer next(ChunkReceiver receiver) throws IOException {
        worker.awaitsPeer();
        try {
            return receiver.next();
        } finally {
            worker.alive();
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread at a time writes it
    private void load(PooledBuffer frame, FrameChannel channel, IncomingLink link) throws IOException {
        FrameKind kind = Frame.kindOf(frame);
        requireInItsPlace(kind);
        switch (kind) {
            case DATA -> {
                handler.load(frame);
                bytes += frame.length();
                if (pieces.isEnabled()) {
                    PieceEvent.record(name(), frame.length(), false);
                }
            }
            case PAGES -> {
                handler.loadPages(channel.payloadOf(frame));
                long length = FrameChannel.bytes(Objects.requireNonNull(frame.pages()));
                bytes += length;
                if (pieces.isEnabled()) {
                    PieceEvent.record(name(), (int) length, false);
                }
            }
            case EXTRA -> handler.loadExtra(channel.payloadOf(frame));
            case ACK_WANTED -> {
                Message.Ack wanted = Message.Ack.readFrom(kind, channel.payloadOf(frame));
                handler.initialLoaded();
                worker.awaitsPeer();
                try {
                    link.acknowledge(wanted);
                } finally {
                    worker.alive();
                }
            }
            case SWITCHOVER -> {
                switchedOver = true;
                handler.switchoverStart();
            }
            case LATER -> {
                if (!handler.takesLater()) {
                    throw new StreamException(
                            StreamException.Problem.UNEXPECTED,
                            name + ": the source sent LATER, and this handler's takesLater says that nothing is loaded"
                                    + " into it once the machine runs");
                }
                later = true;
            }
            default -> throw new IllegalStateException("the receiver hands out no " + kind);
        }
    }

    /** What could wait is announced while the source is stopped, and is nothing but state. */
    private void requireInItsPlace(FrameKind kind) throws StreamException {
        boolean misplaced = switch (kind) {
            case LATER -> !switchedOver || later;
            case ACK_WANTED, SWITCHOVER -> switchedOver;
            default -> false;
        };
        if (misplaced || (runs && kind != FrameKind.DATA && kind != FrameKind.EXTRA)) {
            throw new StreamException(
                    StreamException.Problem.UNEXPECTED, "the source sent " + kind + " where it has no place");
        }
    }

    private void end() {
        try {
            handler.cleanup();
        } finally {
            if (pool != null) {
                pool.close();
            }
        }
    }
}
