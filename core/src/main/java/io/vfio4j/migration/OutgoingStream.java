// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.StateHandler.Precision;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * One handler at the source, with the connection that its state goes through.
 *
 * <p>The handler and the connection belong to the worker's thread; what the migration's thread looks at is volatile.
 */
final class OutgoingStream implements StateOutput, Crew.Member {
    private static final long PING_NANOS = 1_000_000_000;
    private static final long IDLE_NANOS = 5_000_000;
    private static final long PACE_NANOS = 50_000_000;

    /** What counts as a stall: more than a slow chunk. */
    private static final long STALL_NANOS = 20_000_000;

    /** What a stream needs to know of the whole migration. */
    interface Whole {
        /** Throws when the migration is not to go on. */
        void requireGoingOn() throws IOException;

        /** How fast this stream may be now; 0 for no limit. */
        long fairBytesPerSecond();

        /** How many bytes fit into the downtime limit at a rate. */
        long thresholdBytes(long bytesPerSecond);

        /** A round is over, or a handler has run dry: the migration's thread is to look. */
        void roundOver();

        /** What a handler wants to be known. */
        void notice(String text);
    }

    private final String name;
    private final StateHandler handler;
    private final int number;
    private final Execution execution;
    private final Whole whole;
    private final OutgoingLink link;
    private final FrameChannel channel;
    private final BufferPool pool;
    private final ChunkSender sender;
    private final Worker worker;
    private final Bandwidth bandwidth = new Bandwidth();
    private final Pending pending = new Pending();
    private final Pace pace;

    /** Never committed: they tell whether anybody wants to hear of each piece, without an allocation. */
    private final PieceEvent pieces = new PieceEvent();

    private final PendingEvent looks = new PendingEvent();

    private volatile boolean holding;
    private volatile boolean roundSeen;
    private volatile boolean drained;
    private volatile int round = 1;
    private volatile long preCopyBytes;
    private volatile long stopCopyBytes;
    private volatile long laterBytes;
    private volatile long setupNanos;
    private volatile long preCopyNanos;
    private volatile long requiredBytes;
    private volatile long iterableBytes;
    private volatile long downtimeBytes;
    private volatile int acksWanted;
    private volatile long quiesceNanos;
    private volatile long stopNanos;
    private volatile long completeNanos;
    private volatile long stalledNanos;
    private volatile boolean iterated;
    private volatile long settleNanos;
    private volatile long expectedStepNanos;
    private long waitBegin;
    private long answeredAt;
    private long bytesSettled;
    private long leftInRound;
    /** Pages of zeros go without a byte, and count as well. */
    private long sends;

    private long roundBegin;
    private long lastFrame;
    private int acksAsked;
    private boolean setUp;
    private boolean completing;
    private volatile boolean later;
    private boolean savingLater;
    private boolean active;
    private volatile boolean iterates;

    /** Takes the pool over, also when this fails. */
    OutgoingStream(
            KnownHandler known,
            int number,
            Execution execution,
            Whole whole,
            OutgoingLink link,
            MigrationParameters parameters,
            BufferPool pool) {
        this.name = known.name();
        this.handler = known.handler();
        this.number = number;
        this.execution = execution;
        this.whole = whole;
        this.link = link;
        this.channel = link.data(number);
        this.pool = pool;
        this.pace = new Pace(execution.nanoTime());
        try {
            this.sender = ChunkSender.of(parameters, execution, pool, channel);
        } catch (RuntimeException | Error e) {
            pool.close();
            throw e;
        }
        try {
            this.worker = new Worker(execution, "save", name, this::end);
        } catch (RuntimeException | Error e) {
            channel.close();
            sender.close();
            pool.close();
            throw e;
        }
    }

    StateHandler handler() {
        return handler;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Worker worker() {
        return worker;
    }

    int number() {
        return number;
    }

    Bandwidth bandwidth() {
        return bandwidth;
    }

    int round() {
        return round;
    }

    boolean isDrained() {
        return drained;
    }

    long bytesSent() {
        return preCopyBytes + stopCopyBytes + laterBytes;
    }

    long requiredBytes() {
        return requiredBytes;
    }

    long iterableBytes() {
        return iterableBytes;
    }

    long downtimeBytes() {
        return downtimeBytes;
    }

    /** How long one of the handler's own steps down is likely to take. */
    long expectedStepNanos() {
        return expectedStepNanos;
    }

    /** How long it took, the last time, until what was sent had gone to disk. */
    long settleNanos() {
        return settleNanos;
    }

    /** How many acknowledgements this handler waits for, whether it has asked for them already or not. */
    int acksOutstanding() {
        return link.givesAcks() ? Math.max(0, acksWanted - link.acks(number)) : 0;
    }

    HandlerReport report() {
        return new HandlerReport(
                name,
                preCopyBytes,
                stopCopyBytes,
                laterBytes,
                iterated ? round : 0,
                bandwidth.isMeasured() ? bandwidth.bytesPerSecond() : 0,
                stalledNanos,
                setupNanos,
                preCopyNanos,
                quiesceNanos,
                stopNanos,
                completeNanos);
    }

    /** Worker: begins to save. */
    void setUp() throws IOException {
        setUp = true;
        BuffersEvent.record(name(), pool);
        long begin = execution.nanoTime();
        handler.saveSetup();
        setupNanos = execution.nanoTime() - begin;
        expectedStepNanos = handler.stepNanos();
        active = handler.isActive();
        askWhetherItIterates();
        lastFrame = execution.nanoTime();
        look(Precision.EXACT);
        leftInRound = Math.max(1, pending.iterableBytes());
    }

    /** Tells whether pre-copy can do anything for this handler, as it said last. */
    boolean iterates() {
        return iterates;
    }

    private boolean askWhetherItIterates() {
        iterates = active && handler.iterates();
        return iterates;
    }

    /** The migration's thread: the next {@link #preCopy} goes on until {@link #hold}. */
    void goOn() {
        holding = false;
    }

    /** Any thread: lets {@link #preCopy} return soon, with all that was read on the wire, and with exact figures. */
    void hold() {
        holding = true;
    }

    /** Worker: sends state while the virtual machine runs, round after round, until it is held. */
    void preCopy() throws IOException {
        long before = preCopyNanos;
        long begin = execution.nanoTime();
        // The clock is read once before a piece is sent and once after it: on some hosts that is a system call.
        long at = begin;
        while (!holding) {
            preCopyNanos = before + at - begin;
            whole.requireGoingOn();
            if (!askWhetherItIterates()) {
                waitFor(() -> holding, PACE_NANOS);
                at = execution.nanoTime();
                continue;
            }
            iterated = true;
            long sentBefore = preCopyBytes;
            drained = !handler.iterate(this);
            long sent = preCopyBytes - sentBefore;
            boolean waited = sent == 0;
            if (sent > 0) {
                lastFrame = answeredAt;
                bandwidth.transferred(sent, answeredAt - at);
                at = answeredAt;
                leftInRound -= sent;
                look(Precision.ESTIMATE);
                waited = keepPace(sent, at);
            } else if (!drained) {
                // Zero pages: they go without a byte that counts, and say nothing of the rate.
                lastFrame = answeredAt;
                look(Precision.ESTIMATE);
            }
            if (drained || leftInRound <= 0) {
                endRound();
                waited = true;
            }
            if (waited) {
                at = execution.nanoTime();
            }
        }
        settle();
        look(Precision.EXACT);
        askForAcks();
        preCopyNanos = before + execution.nanoTime() - begin;
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes it
    private void endRound() throws IOException {
        settle();
        look(Precision.EXACT);
        askForAcks();
        if (sends > roundBegin) {
            RoundEvent event = new RoundEvent();
            event.handler = name();
            event.round = round;
            event.bytes = preCopyBytes;
            event.leftBytes = pending.iterableBytes();
            event.bytesPerSecond = bandwidth.bytesPerSecond();
            event.commit();
            round++;
            roundBegin = sends;
        }
        leftInRound = Math.max(1, pending.iterableBytes());
        // A small device would do many more rounds before anybody could look at this one.
        roundSeen = false;
        whole.roundOver();
        while (!roundSeen && !holding) {
            whole.requireGoingOn();
            waitFor(() -> roundSeen || holding, PACE_NANOS);
        }
        if (drained) {
            waitFor(() -> holding, IDLE_NANOS);
        }
    }

    /** The migration's thread: it has looked, and this handler may go on. */
    void roundSeen() {
        roundSeen = true;
    }

    /** Asks for an acknowledgement that is wanted, once all that it is about has gone. */
    private void askForAcks() throws IOException {
        if (link.givesAcks() && pending.requiredBytes() == 0 && acksAsked < acksWanted) {
            acksAsked = acksWanted;
            waitingForPeer(() -> {
                sender.flush();
                channel.send(FrameKind.ACK_WANTED, new Message.Ack(number, acksAsked));
            });
        }
    }

    /**
     * Waits until what was read is on the wire or on disk: what is still on its way there would otherwise go,
     * unforeseen, in the downtime.
     */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes it
    private void settle() throws IOException {
        if (bytesSent() == bytesSettled) {
            // A disk that was slow once is not to be expected so for ever, or nothing would fit the limit any more.
            settleNanos /= 2;
            return;
        }
        bytesSettled = bytesSent();
        long begin = execution.nanoTime();
        waitingForPeer(sender::flush);
        long flushed = execution.nanoTime();
        waitingForPeer(link::settle);
        long settled = execution.nanoTime();
        settleNanos = settled - flushed;
        bandwidth.settled(settled - begin);
    }

    private void look(Precision precision) throws IOException {
        pending.clear();
        if (active) {
            long threshold = whole.thresholdBytes(bandwidth.bytesPerSecond());
            handler.pending(threshold, precision, pending);
            if (looks.isEnabled()) {
                PendingEvent.record(name(), threshold, precision, pending);
            }
        }
        requiredBytes = pending.requiredBytes();
        iterableBytes = pending.iterableBytes();
        downtimeBytes = pending.downtimeBytes();
        acksWanted = pending.acksWanted();
    }

    /**
     * Waits until the rate allows the next piece; at a low rate that is long enough to be cancelled or missed.
     *
     * @return whether it has waited
     */
    private boolean keepPace(long sent, long at) throws IOException {
        pace.sent(sent, whole.fairBytesPerSecond(), at);
        long wait = pace.waitNanos(at);
        boolean waits = wait > 0;
        while (wait > 0 && !holding) {
            whole.requireGoingOn();
            waitFor(() -> holding, Math.min(wait, PACE_NANOS));
            wait = whole.fairBytesPerSecond() == 0 ? 0 : pace.waitNanos(execution.nanoTime());
        }
        return waits;
    }

    /** Waits a little, and shows the peer now and then that this side lives. */
    private void waitFor(BooleanSupplier condition, long nanos) throws IOException {
        execution.await(execution.nanoTime() + nanos, condition);
        worker.alive();
        ping();
    }

    /** Worker: shows the peer that this side lives, when it has not heard of it for a while. */
    void ping() throws IOException {
        long now = execution.nanoTime();
        if (now - lastFrame >= PING_NANOS) {
            waitingForPeer(() -> {
                sender.flush();
                channel.send(FrameKind.PING);
            });
            lastFrame = now;
        }
    }

    /** Worker: the first step down. */
    void quiesce() throws IOException {
        ping();
        long begin = execution.nanoTime();
        handler.quiesce();
        quiesceNanos = execution.nanoTime() - begin;
        look(Precision.FINAL);
    }

    /** Worker: the second step down. */
    void stop() throws IOException {
        ping();
        long begin = execution.nanoTime();
        handler.stop();
        stopNanos = execution.nanoTime() - begin;
    }

    /** Worker: the first step down is undone. */
    void unquiesce() throws IOException {
        handler.unquiesce();
    }

    /** Worker: the first step back to where the handler was, if it was touched. */
    void resumeQuiesced() throws IOException {
        if (setUp) {
            handler.resumeQuiesced();
        }
    }

    /** Worker: the second step back. */
    void resume() throws IOException {
        if (setUp) {
            handler.resume();
        }
    }

    /** Worker: sends all that is left, and END. */
    void complete() throws IOException {
        long begin = execution.nanoTime();
        completing = true;
        waitingForPeer(() -> {
            sender.flush();
            channel.send(FrameKind.SWITCHOVER);
        });
        if (active) {
            handler.complete(this);
            if (handler.hasLater()) {
                announceLater();
            }
        }
        sendEnd();
        completeNanos = execution.nanoTime() - begin;
    }

    private void sendEnd() throws IOException {
        waitingForPeer(() -> {
            sender.flush();
            channel.sendEnd();
        });
    }

    /** What could wait comes behind END when the destination runs, or before it where nobody will. */
    private void announceLater() throws IOException {
        waitingForPeer(() -> {
            sender.flush();
            channel.send(FrameKind.LATER);
        });
        if (link.carriesOn()) {
            link.announceLater();
            later = true;
        } else {
            handler.saveLater(this);
        }
    }

    /** Tells whether the handler has something left that goes when the destination runs. */
    boolean hasLater() {
        return later;
    }

    /** Worker: the destination runs, and what could wait goes there. */
    void saveLater() throws IOException {
        drained = !later;
        if (later) {
            savingLater = true;
            holding = false;
            lastFrame = execution.nanoTime();
            try {
                handler.saveLater(this);
                sendEnd();
            } finally {
                drained = true;
            }
        }
    }

    /** Any thread: the destination will see that no more comes. */
    void closeChannel() {
        channel.close();
    }

    @Override
    public PooledBuffer acquire() throws IOException {
        whole.requireGoingOn();
        PooledBuffer free = sender.tryAcquire();
        return free == null ? awaitFree() : free;
    }

    private PooledBuffer awaitFree() throws IOException {
        awaitPeer();
        try {
            return sender.acquire();
        } finally {
            peerAnswered();
        }
    }

    /** Does what a slow peer or disk may hold up: the handler's limit is not for that. */
    private void waitingForPeer(Worker.Action action) throws IOException {
        awaitPeer();
        try {
            action.run();
        } finally {
            peerAnswered();
        }
    }

    private void awaitPeer() {
        waitBegin = execution.nanoTime();
        worker.awaitsPeer();
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes it
    private void peerAnswered() {
        worker.alive();
        answeredAt = execution.nanoTime();
        long waited = answeredAt - waitBegin;
        if (waited > STALL_NANOS) {
            stalledNanos += waited;
            StallEvent event = new StallEvent();
            event.handler = name();
            event.waited = waited;
            event.commit();
        }
    }

    @Override
    public void giveBack(PooledBuffer unused) {
        sender.giveBack(unused);
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes it
    public void send(PooledBuffer chunk) throws IOException {
        int length = chunk.length();
        sends++;
        awaitPeer();
        try {
            sender.send(chunk);
        } finally {
            peerAnswered();
        }
        if (savingLater) {
            laterBytes += length;
            lastFrame = answeredAt;
            keepPace(length, answeredAt);
        } else if (completing) {
            stopCopyBytes += length;
        } else {
            preCopyBytes += length;
        }
        if (pieces.isEnabled()) {
            PieceEvent.record(name(), length, true);
        }
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes it
    public void sendPages(PooledBuffer table, List<MemorySegment> pages) throws IOException {
        if (savingLater) {
            sender.giveBack(table);
            throw new MigrationException(
                    Reason.DEVICE, name + ": pages cannot wait, for the destination runs on them by now");
        }
        table.pages(pages);
        long length = FrameChannel.bytes(pages);
        sends++;
        awaitPeer();
        try {
            sender.send(table);
        } finally {
            peerAnswered();
        }
        if (completing) {
            stopCopyBytes += length;
        } else {
            preCopyBytes += length;
        }
        if (pieces.isEnabled()) {
            PieceEvent.record(name(), (int) length, true);
        }
    }

    @Override
    public void notice(String text) {
        whole.notice(name() + ": " + text);
    }

    @Override
    public void sendExtra(ByteBuffer extra) throws IOException {
        if (extra.remaining() > MAX_EXTRA) {
            throw new MigrationException(
                    Reason.DEVICE,
                    name + ": " + extra.remaining() + " bytes beside its state; the limit is " + MAX_EXTRA);
        }
        waitingForPeer(() -> {
            sender.flush();
            channel.sendExtra(extra);
        });
    }

    /** Worker, at its end: whatever it has comes back, for nobody else may still use it. */
    private void end() {
        try (pool;
                sender) {
            handler.cleanup();
        }
    }
}
