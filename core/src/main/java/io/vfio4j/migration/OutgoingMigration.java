// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.PrecopyInfo;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.Watchdog;
import java.io.IOException;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Moves a device's state away, to a peer or into a file, and lets go of the device only when the other side has it.
 *
 * <p>{@link #run} does all on the calling thread, which must be a platform thread, and with {@code overlap} one more.
 * Any thread may {@link #cancel}. The device and the virtual machine stay the caller's. One object, one migration.
 *
 * <p>Until COMMIT, a failure takes the device back to where it was and resumes the virtual machine. From COMMIT on,
 * this side never runs the device by itself; a connection lost then is {@link Reason#IN_DOUBT}, and {@link #resolve}
 * ends it.
 */
public final class OutgoingMigration {

    /** How a migration that is in doubt ends at the source. */
    public enum Resolution {
        /** The destination runs the device: it stays in STOP here. */
        KEEP_STOPPED,
        /** The destination does not run the device, as the caller has made sure: it runs here again. */
        RESUME_SOURCE
    }

    private enum Stage {
        NEW,
        ACTIVE,
        CANCELLED,
        COMMITTED,
        IN_DOUBT,
        ENDED
    }

    private static final long PROGRESS_NANOS = 100_000_000;
    private static final long PING_NANOS = 1_000_000_000;
    private static final long IDLE_NANOS = 5_000_000;
    private static final long PACE_NANOS = 50_000_000;

    private final LibC libc;
    private final VfioDevice device;
    private final VirtualMachine vm;
    private final MigrationParameters parameters;
    private final SwitchoverPolicy policy;
    private final MigrationListener listener;
    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.NEW);
    private final DowntimeModel model = new DowntimeModel();
    private final AtomicBoolean started = new AtomicBoolean();
    private volatile @Nullable OutgoingLink link;

    private int round;
    private long bytesSent;
    private long bytesSettled;
    private long lastProgress;
    private long predictedNanos = -1;
    private boolean vmStopped;

    /**
     * Prepares a migration; nothing is touched before {@link #run}.
     *
     * @param libc the system calls that buffers come from
     * @param device the device, in RUNNING or STOP
     * @param vm its virtual machine
     * @param parameters the limits
     * @param policy when to switch over; {@link SwitchoverPolicy#of} is the usual one
     * @param listener who is told
     */
    public OutgoingMigration(
            LibC libc,
            VfioDevice device,
            VirtualMachine vm,
            MigrationParameters parameters,
            SwitchoverPolicy policy,
            MigrationListener listener) {
        this.libc = libc;
        this.device = device;
        this.vm = vm;
        this.parameters = parameters;
        this.policy = policy;
        this.listener = new UnfailingListener(listener);
    }

    /**
     * Migrates. When this returns, the device is in STOP here, and runs at the peer or is whole in the file.
     *
     * @param to where to
     * @return what was done
     * @throws MigrationException when it was not: the device is as it was before, unless the message or
     *     {@link Reason#IN_DOUBT} says otherwise
     * @throws IllegalStateException when this object has run before
     */
    public MigrationReport run(TransportAddress to) throws MigrationException {
        if (!started.compareAndSet(false, true)) {
            throw new IllegalStateException("a migration runs once");
        }
        stage.compareAndSet(Stage.NEW, Stage.ACTIVE);
        listener.onPhase(Phase.SETUP);
        try {
            requireNotCancelled();
            MigrationState before = requireMigratable();
            try (Watchdog watchdog = new Watchdog();
                    BufferPool pool = new BufferPool(
                            libc, parameters.chunks(), parameters.chunkBytes(), parameters.hugePages())) {
                OutgoingLink opened = OutgoingLink.open(libc, to, parameters, watchdog);
                try {
                    link = opened;
                    requireNotCancelled();
                    return migrate(opened, pool, before);
                } finally {
                    opened.free();
                }
            }
        } catch (IOException e) {
            throw ended(e);
        } catch (RuntimeException | Error e) {
            throw ended(new IOException("unexpected: " + e, e));
        } finally {
            link = null;
        }
    }

    /**
     * Gives the migration up; the device goes back to where it was. Returns at once; {@link #run} throws
     * {@link Reason#CANCELLED}.
     *
     * @return false when it is too late: the device has been given to the other side, or the migration has ended
     */
    public boolean cancel() {
        boolean cancelled =
                stage.compareAndSet(Stage.NEW, Stage.CANCELLED) || stage.compareAndSet(Stage.ACTIVE, Stage.CANCELLED);
        OutgoingLink open = link;
        if (cancelled && open != null) {
            open.interrupt();
        }
        return cancelled;
    }

    /**
     * Ends a migration that is in doubt. Never done by a timer: only the caller can find out what the destination does.
     *
     * @param resolution who runs the device
     * @throws MigrationException when the device or the virtual machine cannot be taken there
     * @throws IllegalStateException when the migration is not in doubt
     */
    public void resolve(Resolution resolution) throws MigrationException {
        if (!stage.compareAndSet(Stage.IN_DOUBT, Stage.ENDED)) {
            throw new IllegalStateException("the migration is not in doubt");
        }
        try {
            if (resolution == Resolution.RESUME_SOURCE) {
                device.setState(MigrationState.RUNNING, MigrationState.STOP);
                vm.resume();
            } else {
                device.setState(MigrationState.STOP, MigrationState.STOP);
            }
        } catch (IOException e) {
            throw MigrationException.of(e);
        }
    }

    private MigrationState requireMigratable() throws IOException {
        if (!device.features().stopCopy()) {
            throw new MigrationException(Reason.DEVICE, device.name() + ": it cannot save its state");
        }
        MigrationState state = device.state();
        if (state != MigrationState.RUNNING && state != MigrationState.STOP) {
            throw new MigrationException(
                    Reason.DEVICE, device.name() + ": a migration begins in RUNNING or STOP, and it is in " + state);
        }
        return state;
    }

    private MigrationReport migrate(OutgoingLink to, BufferPool pool, MigrationState before) throws IOException {
        long begin = System.nanoTime();
        SavingSession session = null;
        ChunkSender sender = null;
        try {
            OutgoingLink.Negotiated negotiated = to.negotiate(new Message.Hello(
                    UUID.randomUUID(),
                    parameters.chunkBytes(),
                    device.identity().type(),
                    device.identity().driver(),
                    device.features().flags()));
            model.roundTrip(negotiated.roundTripNanos());
            model.destinationArcs(negotiated.destinationArcsNanos());
            sender = ChunkSender.of(parameters, pool, to.data());

            long preCopyBegin = System.nanoTime();
            long predicted = -1;
            if (before == MigrationState.RUNNING && device.features().preCopy()) {
                session = device.startSaving(MigrationState.PRE_COPY, MigrationState.RUNNING);
                model.sourceArc(device.lastArcNanos());
                listener.onPhase(Phase.PRE_COPY);
                predicted = preCopy(to, sender, session);
            }
            long preCopyBytes = bytesSent;

            long stopBegin = System.nanoTime();
            listener.onPhase(Phase.STOP_COPY);
            if (before == MigrationState.RUNNING) {
                vmStopped = true;
                vm.stop();
            }
            long stopped = System.nanoTime();
            if (session != null) {
                session.quiesce(MigrationState.RUNNING);
            } else if (before == MigrationState.RUNNING && device.features().p2p()) {
                device.setState(MigrationState.RUNNING_P2P, MigrationState.RUNNING);
            }
            long quiesced = System.nanoTime();
            if (session != null) {
                session.stop(MigrationState.STOP, MigrationState.RUNNING);
            } else {
                session = device.startSaving(MigrationState.STOP_COPY, MigrationState.STOP, before);
            }
            long copying = System.nanoTime();
            drain(sender, session);
            to.data().sendEnd();
            long drained = System.nanoTime();
            listener.onPhase(Phase.HANDOVER);
            to.awaitLoaded();
            long loaded = System.nanoTime();
            handOver(to);
            long resumed = System.nanoTime();

            stage.set(Stage.ENDED);
            sender.close();
            session.close();
            stopHere();
            listener.onPhase(Phase.COMPLETED);
            return new MigrationReport(
                    preCopyBytes,
                    bytesSent - preCopyBytes,
                    round,
                    stopBegin - preCopyBegin,
                    resumed - begin,
                    model.bytesPerSecond(),
                    predicted,
                    new Downtime(
                            stopped - stopBegin,
                            quiesced - stopped,
                            copying - quiesced,
                            drained - copying,
                            loaded - drained,
                            resumed - loaded));
        } catch (IOException e) {
            throw failed(e, to, sender, session, before);
        } catch (RuntimeException | Error e) {
            throw failed(new IOException("unexpected: " + e, e), to, sender, session, before);
        }
    }

    /** Sends state while the device runs, until the policy says to stop it. Returns the downtime predicted then. */
    private long preCopy(OutgoingLink to, ChunkSender sender, SavingSession session) throws IOException {
        long begin = System.nanoTime();
        long lastFrame = begin;
        long timeLimit = parameters.maxPreCopy().toNanos();
        PrecopyInfo estimate = session.precopyInfo();
        long leftInRound = Math.max(1, estimate.pendingBytes());
        Pace pace = new Pace(parameters.maxBytesPerSecond(), begin);
        long roundBegin = bytesSent;
        round = 1;
        while (true) {
            requireNotCancelled();
            long before = System.nanoTime();
            int read = readAndSend(sender, session);
            long after = System.nanoTime();
            boolean drained = read == SavingSession.DRAINED;
            if (drained) {
                estimate = PrecopyInfo.EMPTY;
            } else {
                model.transferred(read, after - before);
                estimate = estimate.afterReading(read);
                leftInRound -= read;
                pace.sent(read, after);
                lastFrame = keepPace(pace, to, sender, after, begin + timeLimit, estimate.pendingBytes());
            }
            progress(Phase.PRE_COPY, estimate.pendingBytes(), after);
            boolean roundOver = drained || leftInRound <= 0;
            if (roundOver || System.nanoTime() - begin >= timeLimit) {
                settle(to, sender);
                estimate = session.precopyInfo();
                Forecast forecast = model.forecast(
                        round, System.nanoTime() - begin, estimate.initialBytes(), pendingBytes(estimate));
                predictedNanos = forecast.downtimeNanos();
                switch (policy.decide(forecast)) {
                    case SWITCH_OVER -> {
                        return forecast.downtimeNanos();
                    }
                    case GIVE_UP -> throw notConverged(forecast);
                    case CONTINUE -> {
                        if (roundOver) {
                            if (bytesSent > roundBegin) {
                                round++;
                                roundBegin = bytesSent;
                            }
                            leftInRound = Math.max(1, estimate.pendingBytes());
                        }
                        if (drained) {
                            lastFrame = idle(to, sender, lastFrame);
                        }
                    }
                }
            }
        }
    }

    /**
     * Waits until what was read is on the wire or on disk: what is still on its way there would otherwise go,
     * unforeseen, while the device is stopped.
     */
    private void settle(OutgoingLink to, ChunkSender sender) throws IOException {
        if (bytesSent == bytesSettled) {
            return;
        }
        bytesSettled = bytesSent;
        long begin = System.nanoTime();
        sender.flush();
        to.settle();
        model.settled(System.nanoTime() - begin);
    }

    /** Sends the rest while the device is stopped. */
    private void drain(ChunkSender sender, SavingSession session) throws IOException {
        int read = 0;
        while (read != SavingSession.END_OF_STATE) {
            requireNotCancelled();
            read = readAndSend(sender, session);
            progress(Phase.STOP_COPY, -1, System.nanoTime());
        }
        sender.flush();
    }

    /** Moves one chunk. Returns its size, or what {@link SavingSession#read} returned instead. */
    private int readAndSend(ChunkSender sender, SavingSession session) throws IOException {
        PooledBuffer chunk = sender.acquire();
        int read = 0;
        try {
            read = (int) session.read(chunk.memory(), PooledBuffer.HEAD_ROOM, chunk.capacity());
        } finally {
            if (read <= 0) {
                sender.giveBack(chunk);
            }
        }
        if (read > 0) {
            chunk.length(read);
            sender.send(chunk);
            bytesSent += read;
        }
        return read;
    }

    /**
     * Everything that would have to go while the device is stopped: what pre-copy has left is part of the stop-copy.
     */
    private long pendingBytes(PrecopyInfo estimate) {
        return Math.max(device.stopCopyLength(), estimate.pendingBytes());
    }

    /**
     * There is nothing to read and no reason to stop yet: waits a little, and shows the peer now and then that it
     * lives.
     */
    private static long idle(OutgoingLink to, ChunkSender sender, long lastFrame) throws IOException {
        return pause(IDLE_NANOS, to, sender, lastFrame);
    }

    /** Waits until the rate allows the next chunk; at a low rate that is long enough to be cancelled or missed. */
    private long keepPace(Pace pace, OutgoingLink to, ChunkSender sender, long lastFrame, long deadline, long remaining)
            throws IOException {
        long last = lastFrame;
        long now = System.nanoTime();
        long wait = pace.waitNanos(now);
        while (wait > 0 && now - deadline < 0) {
            requireNotCancelled();
            progress(Phase.PRE_COPY, remaining, now);
            last = pause(Math.min(wait, PACE_NANOS), to, sender, last);
            now = System.nanoTime();
            wait = pace.waitNanos(now);
        }
        return last;
    }

    private static long pause(long nanos, OutgoingLink to, ChunkSender sender, long lastFrame) throws IOException {
        LockSupport.parkNanos(nanos);
        long now = System.nanoTime();
        if (now - lastFrame < PING_NANOS) {
            return lastFrame;
        }
        sender.flush();
        to.data().send(FrameKind.PING);
        return now;
    }

    /** The only place where the device changes hands. */
    private void handOver(OutgoingLink to) throws IOException {
        if (!stage.compareAndSet(Stage.ACTIVE, Stage.COMMITTED)) {
            throw cancelled();
        }
        try {
            to.commit();
        } catch (IOException e) {
            if (!to.mayBeCommitted()) {
                stage.set(Stage.ACTIVE);
            }
            throw e;
        }
        to.awaitRunning();
    }

    /**
     * The device runs at the other side, or is whole in the file: nothing that fails here makes that undone. It must
     * not run here with what it holds, so it is reset where it cannot be stopped.
     */
    private void stopHere() {
        try {
            device.setState(MigrationState.STOP, MigrationState.STOP);
        } catch (VfioException e) {
            listener.onNotice("the migration is complete, but the device did not go to STOP here ("
                    + MigrationException.message(e) + ")"
                    + (e.deviceWasReset() ? ": it was reset instead" : "; it is in " + e.stateAfter() + " now"));
        }
    }

    private void progress(Phase phase, long remaining, long now) {
        if (now - lastProgress >= PROGRESS_NANOS) {
            lastProgress = now;
            listener.onProgress(
                    new MigrationProgress(phase, round, bytesSent, model.bytesPerSecond(), remaining, predictedNanos));
        }
    }

    private void requireNotCancelled() throws MigrationException {
        if (stage.get() == Stage.CANCELLED) {
            throw cancelled();
        }
    }

    private static MigrationException cancelled() {
        return MigrationException.cancelled(null);
    }

    private MigrationException notConverged(Forecast forecast) {
        return new MigrationException(
                Reason.NOT_CONVERGED,
                "pre-copy does not converge: after round " + forecast.round() + " the downtime would be "
                        + millis(forecast.downtimeNanos()) + " ms (" + millis(forecast.fixedNanos())
                        + " ms of it for the devices' transitions and the handover), the limit is "
                        + parameters.downtimeLimit().toMillis() + " ms; raise the limit, or let it switch over anyway");
    }

    private static long millis(long nanos) {
        return TimeUnit.NANOSECONDS.toMillis(nanos);
    }

    /** Ends a migration that failed in its course: takes the device back, or leaves it in doubt. */
    private MigrationException failed(
            IOException cause,
            OutgoingLink to,
            @Nullable ChunkSender sender,
            @Nullable SavingSession session,
            MigrationState before) {
        MigrationException failure = reasonFor(cause, to);
        // What fails after the end is no reason to run the device here, for the other side does.
        boolean committed = stage.get() == Stage.COMMITTED || stage.get() == Stage.ENDED;
        if (!committed) {
            to.abort(MigrationException.message(failure));
        }
        to.close();
        if (sender != null) {
            sender.close();
        }
        if (session != null) {
            session.close();
        }
        if (committed) {
            stage.set(Stage.IN_DOUBT);
            listener.onPhase(Phase.IN_DOUBT);
            return new MigrationException(
                    Reason.IN_DOUBT,
                    "the destination was told to run the device, but did not confirm it ("
                            + MigrationException.message(failure)
                            + "); the device stays stopped here until you say who runs it",
                    failure);
        }
        if (cause instanceof VfioException lost && lost.deviceWasReset()) {
            listener.onNotice("the device had to be reset: what it held is lost");
        }
        takeBack(before, failure);
        return failure;
    }

    private MigrationException reasonFor(IOException cause, OutgoingLink to) {
        if (stage.get() == Stage.CANCELLED) {
            return asCancelled(cause);
        }
        MigrationException failure = MigrationException.of(cause);
        if (failure.reason() == Reason.TRANSPORT) {
            MigrationException said = to.reasonOfPeer();
            if (said != null) {
                said.addSuppressed(failure);
                return said;
            }
        }
        return failure;
    }

    private void takeBack(MigrationState before, MigrationException failure) {
        // A reset would lose what the device holds, so STOP is where to recover to, and to try again from.
        boolean back = takeDeviceBack(before, failure);
        if (!back) {
            back = takeDeviceBack(before, failure);
        }
        if (!vmStopped) {
            return;
        }
        if (!back) {
            listener.onNotice(
                    "the virtual machine stays stopped, for its device does not run: take the device to RUNNING "
                            + "and resume it, or reset the device");
            return;
        }
        try {
            vm.resume();
        } catch (IOException e) {
            failure.addSuppressed(e);
            listener.onNotice("the virtual machine could not be resumed: " + MigrationException.message(e));
        }
    }

    private boolean takeDeviceBack(MigrationState before, MigrationException failure) {
        try {
            device.setState(before, MigrationState.STOP);
            return true;
        } catch (VfioException e) {
            failure.addSuppressed(e);
            listener.onNotice("the device could not be taken back to " + before + ": " + MigrationException.message(e)
                    + (e.deviceWasReset() ? "; it was reset, and what it held is lost" : ""));
            return e.stateAfter() == MigrationState.RUNNING;
        }
    }

    private MigrationException ended(IOException e) {
        if (stage.get() == Stage.IN_DOUBT) {
            return MigrationException.of(e);
        }
        MigrationException failure =
                stage.getAndSet(Stage.ENDED) == Stage.CANCELLED ? asCancelled(e) : MigrationException.of(e);
        listener.onPhase(Phase.FAILED);
        return failure;
    }

    private static MigrationException asCancelled(IOException e) {
        return MigrationException.cancelled(e);
    }
}
