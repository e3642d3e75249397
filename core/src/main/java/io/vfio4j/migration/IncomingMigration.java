// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.MigrationFeatures;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.ResumingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.Phase;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.Watchdog;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Loads a device's state from a peer or a file, and runs the device only when the other side has let go of it.
 *
 * <p>{@link #run} does all on the calling thread, which must be a platform thread, and with {@code overlap} one more.
 * Any thread may {@link #cancel}. The device and the virtual machine stay the caller's. One object, one migration.
 *
 * <p>Until COMMIT, a failure resets the device: it never runs with half a state.
 */
public final class IncomingMigration {
    private static final long PROGRESS_NANOS = 100_000_000;

    /** The first time through finds the code cold, the second one the truth. */
    private static final int REHEARSALS = 2;

    /** A device that takes so long is not asked twice. */
    private static final long SLOW_NANOS = 100_000_000;

    private enum Stage {
        NEW,
        ACTIVE,
        CANCELLED,
        LOADED,
        COMMITTED,
        ENDED
    }

    private final LibC libc;
    private final VfioDevice device;
    private final VirtualMachine vm;
    private final MigrationParameters parameters;
    private final MigrationListener listener;
    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.NEW);
    private final AtomicBoolean started = new AtomicBoolean();
    private volatile @Nullable IncomingLink link;
    private long lastProgress;
    private volatile boolean holdsState;
    private long progressBytes;

    /**
     * Prepares a migration; nothing is touched before {@link #run}.
     *
     * @param libc the system calls that buffers come from
     * @param device the device, in RUNNING or STOP; what state it holds is lost
     * @param vm its virtual machine, not running
     * @param parameters the limits
     * @param listener who is told
     */
    public IncomingMigration(
            LibC libc,
            VfioDevice device,
            VirtualMachine vm,
            MigrationParameters parameters,
            MigrationListener listener) {
        this.libc = libc;
        this.device = device;
        this.vm = vm;
        this.parameters = parameters;
        this.listener = new UnfailingListener(listener);
    }

    /**
     * Waits for a source or opens a file, and loads the state. When this returns, the device runs here.
     *
     * @param from where from; for a peer, where to listen
     * @return what was done
     * @throws MigrationException when it was not: the device was reset, or not touched, unless the message says
     *     otherwise
     * @throws IllegalStateException when this object has run before
     */
    public LoadReport run(TransportAddress from) throws MigrationException {
        if (!started.compareAndSet(false, true)) {
            throw new IllegalStateException("a migration runs once");
        }
        stage.compareAndSet(Stage.NEW, Stage.ACTIVE);
        listener.onPhase(Phase.SETUP);
        try {
            requireNotCancelled();
            MigrationState before = requireLoadable();
            try (Watchdog watchdog = new Watchdog()) {
                IncomingLink opened = IncomingLink.open(libc, from, parameters, watchdog, listener);
                try {
                    link = opened;
                    requireNotCancelled();
                    return load(opened, before);
                } finally {
                    opened.free();
                }
            }
        } catch (IOException e) {
            MigrationException failure = stage.getAndSet(Stage.ENDED) == Stage.CANCELLED
                    ? MigrationException.cancelled(e)
                    : MigrationException.of(e);
            listener.onPhase(Phase.FAILED);
            throw failure;
        } finally {
            link = null;
        }
    }

    /**
     * Gives the migration up. Returns at once; {@link #run} throws {@link Reason#CANCELLED}.
     *
     * @return false when it is too late: the source may have let go of the device, or the migration has ended
     */
    public boolean cancel() {
        boolean cancelled =
                stage.compareAndSet(Stage.NEW, Stage.CANCELLED) || stage.compareAndSet(Stage.ACTIVE, Stage.CANCELLED);
        IncomingLink open = link;
        if (cancelled && open != null) {
            open.interrupt();
        }
        return cancelled;
    }

    /**
     * After {@link #run} has failed: tells whether the device holds, in STOP, a state that the source has let go of.
     *
     * @return true when the device must not be closed or reset before the source is resolved
     */
    public boolean holdsState() {
        return holdsState;
    }

    private MigrationState requireLoadable() throws IOException {
        if (!device.features().stopCopy()) {
            throw new MigrationException(Reason.DEVICE, device.name() + ": it cannot load a state");
        }
        MigrationState state = device.state();
        if (state != MigrationState.RUNNING && state != MigrationState.STOP) {
            throw new MigrationException(
                    Reason.DEVICE, device.name() + ": loading begins in RUNNING or STOP, and it is in " + state);
        }
        return state;
    }

    private LoadReport load(IncomingLink from, MigrationState before) throws IOException {
        Message.Hello hello = from.awaitHello();
        String misfit = misfit(hello);
        if (misfit != null) {
            from.refuse(misfit);
            throw new MigrationException(Reason.REFUSED, device.name() + ": " + misfit);
        }
        boolean touched = false;
        try (BufferPool pool = poolFor(hello.chunkBytes())) {
            touched = true;
            Message.Accept accept = rehearse(before);
            try (ResumingSession session = device.startResuming(before)) {
                FrameChannel data = from.accept(hello, accept);
                listener.onPhase(Phase.RECEIVING);
                long receiving = System.nanoTime();
                receive(data, pool, session);
                long received = System.nanoTime();
                listener.onPhase(Phase.HANDOVER);
                session.finish();
                long loaded = System.nanoTime();
                if (!stage.compareAndSet(Stage.ACTIVE, Stage.LOADED)) {
                    throw cancelled();
                }
                from.loaded(loaded - received);
                from.awaitCommit();
                stage.set(Stage.COMMITTED);
                long committed = System.nanoTime();
                // The source has let go: recovering by a reset would lose the only copy of the state.
                runDevice(MigrationState.STOP);
                vm.resume();
                long running = System.nanoTime();
                tellRunning(from, running - committed);
                stage.set(Stage.ENDED);
                listener.onPhase(Phase.COMPLETED);
                return new LoadReport(
                        data.dataBytesReceived(), received - receiving, loaded - received, running - committed);
            }
        } catch (IOException e) {
            throw failed(e, from, touched);
        } catch (RuntimeException | Error e) {
            throw failed(new IOException("unexpected: " + e, e), from, touched);
        }
    }

    /**
     * Takes the device to STOP and back, which it will do in the downtime: the source learns how long that takes, and
     * none of it is done for the first time then. What the device holds is about to be replaced anyway.
     */
    private Message.Accept rehearse(MigrationState before) throws VfioException {
        long stopNanos = 0;
        long runNanos = 0;
        for (int i = 0; before == MigrationState.RUNNING && i < REHEARSALS && runNanos < SLOW_NANOS; i++) {
            device.setState(MigrationState.STOP);
            stopNanos = device.lastArcNanos();
            runNanos = runDevice();
        }
        return new Message.Accept(stopNanos, runNanos);
    }

    /**
     * Takes the device from STOP to RUNNING, by way of RUNNING_P2P where it can. Returns the time that its arcs took.
     */
    private long runDevice(MigrationState... recover) throws VfioException {
        long nanos = 0;
        if (device.features().p2p()) {
            device.setState(MigrationState.RUNNING_P2P, recover);
            nanos = device.lastArcNanos();
        }
        device.setState(MigrationState.RUNNING, recover);
        return nanos + device.lastArcNanos();
    }

    private void receive(FrameChannel data, BufferPool pool, ResumingSession session) throws IOException {
        ChunkReceiver receiver = ChunkReceiver.of(parameters, pool, data);
        boolean whole = false;
        try {
            PooledBuffer chunk = receiver.next();
            while (chunk != null) {
                requireNotCancelled();
                try {
                    session.write(chunk.memory(), PooledBuffer.HEAD_ROOM, chunk.length());
                    progressBytes += chunk.length();
                } finally {
                    receiver.release(chunk);
                }
                progress();
                chunk = receiver.next();
            }
            whole = true;
        } finally {
            if (!whole) {
                // The source shall hear why, so only the data connection is closed here.
                data.close();
            }
            receiver.close();
        }
    }

    /** The device runs here, whether the source hears of it or not. */
    private void tellRunning(IncomingLink from, long nanos) {
        try {
            from.running(nanos);
        } catch (IOException e) {
            listener.onNotice("the device runs here, but the source could not be told (" + MigrationException.message(e)
                    + "): the source is in doubt; resolve it there as KEEP_STOPPED");
        }
    }

    /** Why this source's state cannot be loaded into this device, or null. */
    private @Nullable String misfit(Message.Hello hello) {
        DeviceIdentity source = new DeviceIdentity(hello.deviceType(), hello.driver());
        DeviceIdentity here = device.identity();
        if (!source.isKnown() || !here.isKnown()) {
            return "the source's device is " + source + ", this one is " + here
                    + ": nobody can tell whether they fit; open "
                    + "the devices where sysfs can be read, or say what they are";
        }
        if (!source.equals(here)) {
            return "the source's device is " + source + ", this one is " + here;
        }
        if (hello.features() != device.features().flags()) {
            return "the source's device has the migration features " + new MigrationFeatures(hello.features())
                    + ", this one " + device.features() + "; use the same driver and firmware on both sides";
        }
        int chunk = hello.chunkBytes();
        if (chunk < 4096 || chunk > BufferPool.MAX_CAPACITY || chunk % 4096 != 0 || chunk > memoryBound() / 2) {
            return "the source sends chunks of " + chunk + " bytes, which do not fit twice into the " + memoryBound()
                    + " bytes allowed here";
        }
        return null;
    }

    private long memoryBound() {
        return (long) parameters.chunks() * parameters.chunkBytes();
    }

    private BufferPool poolFor(int chunkBytes) {
        int count = (int) Math.min(BufferPool.MAX_BUFFERS, memoryBound() / chunkBytes);
        return new BufferPool(libc, count, chunkBytes, parameters.hugePages());
    }

    private void progress() {
        long now = System.nanoTime();
        long since = now - lastProgress;
        if (since >= PROGRESS_NANOS) {
            lastProgress = now;
            listener.onProgress(new MigrationProgress(Phase.RECEIVING, 0, progressBytes, -1, -1, -1));
        }
    }

    private MigrationException failed(IOException cause, IncomingLink from, boolean touched) {
        MigrationException failure = MigrationException.of(cause);
        if (stage.get() == Stage.CANCELLED) {
            failure = MigrationException.cancelled(cause);
        } else if (failure.reason() == Reason.TRANSPORT) {
            MigrationException said = from.reasonOfPeer();
            if (said != null) {
                said.addSuppressed(failure);
                failure = said;
            }
        }
        if (stage.get() == Stage.ENDED) {
            // The device runs here and the source knows: whatever failed, that is not undone.
            return failure;
        }
        if (stage.get() == Stage.COMMITTED) {
            stopCommitted(cause, failure);
            from.abort(MigrationException.message(failure));
            return failure;
        }
        from.abort(MigrationException.message(failure));
        if (touched) {
            try {
                device.reset();
            } catch (VfioException e) {
                failure.addSuppressed(e);
                listener.onNotice("the device could not be reset: " + MigrationException.message(e));
            }
        }
        return failure;
    }

    /** The source has let go, but the device or the virtual machine did not start: the state is kept if it can be. */
    private void stopCommitted(IOException cause, MigrationException failure) {
        boolean lost = cause instanceof VfioException v && v.deviceWasReset();
        try {
            // Before the source hears of it and may run the device itself.
            device.setState(MigrationState.STOP, MigrationState.STOP);
        } catch (VfioException e) {
            failure.addSuppressed(e);
            lost |= e.deviceWasReset();
        }
        holdsState = !lost;
        listener.onNotice(
                lost
                        ? "the source has let go of the device, and it had to be reset here: the source alone still holds "
                                + "its state; resolve it there as RESUME_SOURCE"
                        : "the source has let go of the device, and it does not run here either; its state is held in "
                                + "this device: do not close it before the source is resolved");
    }

    private void requireNotCancelled() throws MigrationException {
        if (stage.get() == Stage.CANCELLED) {
            throw cancelled();
        }
    }

    private static MigrationException cancelled() {
        return MigrationException.cancelled(null);
    }
}
