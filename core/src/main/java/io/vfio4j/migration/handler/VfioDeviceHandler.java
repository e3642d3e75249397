// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.MigrationFeatures;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.PrecopyInfo;
import io.vfio4j.device.ResumingSession;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A VFIO device in a migration: its driver's data, and what the virtual machine monitor keeps beside them.
 *
 * <p>All of {@code initial_bytes} goes before the switchover. The estimates count down with each read; the driver is
 * asked anew when it has run dry, which is what makes some drivers produce their next increment, and at the end of a
 * round. The device stays the caller's. One migration at a time.
 */
public final class VfioDeviceHandler implements StateHandler {
    private static final String KIND = "vfio";
    private static final int VERSION = 1;
    private static final String TYPE = "type";
    private static final String DRIVER = "driver";
    private static final String FEATURES = "features";
    private static final String CONFIG = "config";
    private static final String NO_CONFIG = "none";

    /** The first time through finds the code cold, the second one the truth. */
    private static final int REHEARSALS = 2;

    /** A device that takes so long is not asked twice. */
    private static final long SLOW_NANOS = 100_000_000;

    private final String name;
    private final VfioDevice device;
    private final @Nullable DeviceConfig config;
    private final DeviceConfig.Order order;

    private MigrationState before = MigrationState.RUNNING;
    private @Nullable SavingSession saving;
    private @Nullable ResumingSession loading;
    private long initialBytes;
    private long dirtyBytes;
    private long stopCopyLength;
    private int acksWanted;
    private boolean reinitSeen;
    private boolean drained;
    private boolean lost;
    private byte @Nullable [] lateConfig;

    /**
     * Makes a handler for a device without anything beside its driver's data.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param device the device, which stays the caller's
     */
    public VfioDeviceHandler(String name, VfioDevice device) {
        this(name, device, null, DeviceConfig.Order.AFTER_DATA);
    }

    /**
     * Makes a handler for a device.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param device the device, which stays the caller's
     * @param config what the monitor keeps beside the driver's data; null where there is nothing
     * @param order when the destination takes that; both sides say the same
     */
    public VfioDeviceHandler(String name, VfioDevice device, @Nullable DeviceConfig config, DeviceConfig.Order order) {
        this.name = name;
        this.device = device;
        this.config = config;
        this.order = order;
    }

    /**
     * Makes handlers for devices that have nothing but their order to be told by: {@code device0}, {@code device1} and
     * so on. Both sides give theirs in the same order.
     *
     * @param inOrder the devices, which stay the caller's
     * @return a handler for each
     */
    public static List<VfioDeviceHandler> inOrder(VfioDevice... inOrder) {
        return IntStream.range(0, inOrder.length)
                .mapToObj(i -> new VfioDeviceHandler("device" + i, inOrder[i]))
                .toList();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return new Description(
                KIND,
                VERSION,
                Map.of(
                        TYPE, device.identity().type(),
                        DRIVER, device.identity().driver(),
                        FEATURES, Long.toString(device.features().flags()),
                        CONFIG, config == null ? NO_CONFIG : order.name()));
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        Map<String, String> attributes = source.attributes();
        DeviceIdentity there =
                new DeviceIdentity(attributes.getOrDefault(TYPE, ""), attributes.getOrDefault(DRIVER, ""));
        DeviceIdentity here = device.identity();
        if (!there.isKnown() || !here.isKnown()) {
            return "the source's device is " + there + ", this one is " + here
                    + ": nobody can tell whether they fit; open the devices where sysfs can be read, or say what they are";
        }
        if (!there.equals(here)) {
            return "the source's device is " + there + ", this one is " + here;
        }
        String features = attributes.getOrDefault(FEATURES, "");
        if (!features.equals(description().attributes().get(FEATURES))) {
            return "the source's device has the migration features " + features(features) + ", this one "
                    + device.features() + "; use the same driver and firmware on both sides";
        }
        String theirs = attributes.getOrDefault(CONFIG, NO_CONFIG);
        String ours = config == null ? NO_CONFIG : order.name();
        return theirs.equals(ours)
                ? null
                : "the source sends the device's configuration in the order " + theirs + ", this side expects " + ours;
    }

    private static String features(String flags) {
        try {
            return new MigrationFeatures(Long.parseLong(flags)).toString();
        } catch (NumberFormatException e) {
            return flags;
        }
    }

    @Override
    public PeerToPeer peerToPeer() {
        return device.features().p2p() ? PeerToPeer.QUIESCES : PeerToPeer.CANNOT_QUIESCE;
    }

    @Override
    public void prepare() throws IOException {
        if (!device.features().stopCopy()) {
            throw new IOException("it can neither save nor load its state");
        }
        before = device.state();
        if (before != MigrationState.RUNNING && before != MigrationState.STOP) {
            throw new IOException("a migration begins in RUNNING or STOP, and it is in " + before);
        }
    }

    @Override
    public boolean isRunning() {
        return before == MigrationState.RUNNING;
    }

    @Override
    public void saveSetup() throws IOException {
        stopCopyLength = device.stopCopyLength();
        if (isRunning() && device.features().preCopy()) {
            SavingSession session = device.startSaving(MigrationState.PRE_COPY, MigrationState.RUNNING);
            saving = session;
            acksWanted = 1;
            ask(session);
        }
    }

    @Override
    public long stepNanos() {
        return saving == null ? 0 : device.lastArcNanos();
    }

    @Override
    public boolean iterates() {
        return saving != null && saving.phase().isPreCopy();
    }

    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        SavingSession session = saving;
        boolean preCopy = session != null && session.phase().isPreCopy();
        if (session != null && preCopy && precision != Precision.ESTIMATE) {
            ask(session);
        }
        pending.requiredBytes(initialBytes).preCopyBytes(dirtyBytes);
        // The query is not free for every driver, and far from the threshold it would decide nothing.
        if (precision == Precision.EXACT && pending.iterableBytes() <= thresholdBytes) {
            stopCopyLength = device.stopCopyLength();
        }
        // The stop-copy contains what pre-copy has left, so that counts once.
        pending.stoppedBytes(stopCopyLength - pending.iterableBytes()).acksWanted(acksWanted);
    }

    private void ask(SavingSession session) {
        PrecopyInfo info = session.precopyInfo();
        initialBytes = info.initialBytes();
        dirtyBytes = info.dirtyBytes();
        if (info.reinit() && !reinitSeen) {
            acksWanted++;
        }
        reinitSeen = info.reinit();
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        SavingSession session = saving;
        if (session == null) {
            return false;
        }
        if (drained) {
            // What makes some drivers produce their next increment.
            ask(session);
        }
        int read = readAndSend(session, out);
        drained = read == SavingSession.DRAINED;
        if (drained) {
            initialBytes = 0;
            dirtyBytes = 0;
        } else {
            // Initial bytes go first. Kept as numbers, for this is done per chunk.
            long fromInitial = Math.min(read, initialBytes);
            initialBytes -= fromInitial;
            dirtyBytes = Math.max(0, dirtyBytes - (read - fromInitial));
            stopCopyLength = Math.max(0, stopCopyLength - read);
        }
        return !drained;
    }

    /** Moves one piece. Returns its size, or what {@link SavingSession#read} returned instead. */
    private static int readAndSend(SavingSession session, StateOutput out) throws IOException {
        PooledBuffer chunk = out.acquire();
        int read = 0;
        try {
            read = (int) session.read(chunk.memory(), PooledBuffer.HEAD_ROOM, chunk.capacity());
        } finally {
            if (read <= 0) {
                out.giveBack(chunk);
            }
        }
        if (read > 0) {
            chunk.length(read);
            out.send(chunk);
        }
        return read;
    }

    @Override
    public void quiesce() throws IOException {
        if (loading != null) {
            // It runs at the destination, but not all of the others do.
            if (device.features().p2p() && device.state() == MigrationState.RUNNING) {
                keepingState(MigrationState.RUNNING_P2P, MigrationState.STOP);
            }
        } else if (saving != null) {
            saving.quiesce(MigrationState.RUNNING);
        } else if (isRunning() && device.features().p2p()) {
            device.setState(MigrationState.RUNNING_P2P, MigrationState.RUNNING);
        }
    }

    @Override
    public void unquiesce() throws IOException {
        if (saving != null) {
            saving.unquiesce(MigrationState.RUNNING);
        } else if (isRunning()) {
            device.setState(MigrationState.RUNNING, MigrationState.STOP);
        }
    }

    @Override
    public void stop() throws IOException {
        if (saving != null) {
            saving.stop(MigrationState.STOP, MigrationState.RUNNING);
        } else {
            saving = device.startSaving(MigrationState.STOP_COPY, MigrationState.STOP, before);
        }
    }

    @Override
    public void complete(StateOutput out) throws IOException {
        SavingSession session = saving;
        if (session == null) {
            throw new IllegalStateException("complete() comes after stop()");
        }
        if (order == DeviceConfig.Order.BEFORE_DATA) {
            sendConfig(out);
        }
        int read = 0;
        while (read != SavingSession.END_OF_STATE) {
            read = readAndSend(session, out);
        }
        if (order != DeviceConfig.Order.BEFORE_DATA) {
            sendConfig(out);
        }
    }

    private void sendConfig(StateOutput out) throws IOException {
        if (config != null) {
            ByteBuffer buffer = ByteBuffer.allocate(StateOutput.MAX_EXTRA).order(ByteOrder.LITTLE_ENDIAN);
            config.save(buffer);
            out.sendExtra(buffer.flip());
        }
    }

    @Override
    public void release() throws IOException {
        closeSessions();
        // It must not run here with what it holds, so it is reset where it cannot be stopped.
        device.setState(MigrationState.STOP, MigrationState.STOP);
    }

    @Override
    public Rehearsal rehearse() throws IOException {
        Rehearsal times = Rehearsal.NOTHING;
        for (int i = 0; isRunning() && i < REHEARSALS && times.nanos() < SLOW_NANOS; i++) {
            device.setState(MigrationState.STOP);
            long stop = device.lastArcNanos();
            long quiesced = 0;
            if (device.features().p2p()) {
                device.setState(MigrationState.RUNNING_P2P);
                quiesced = device.lastArcNanos();
            }
            device.setState(MigrationState.RUNNING);
            times = new Rehearsal(stop, quiesced, device.lastArcNanos());
        }
        return times;
    }

    @Override
    public void loadSetup() throws IOException {
        loading = device.startResuming(before);
    }

    @Override
    public void load(PooledBuffer chunk) throws IOException {
        requireLoading().write(chunk.memory(), PooledBuffer.HEAD_ROOM, chunk.length());
    }

    @Override
    public void loadExtra(ByteBuffer extra) throws IOException {
        if (config == null) {
            throw new IOException("the source sent a configuration that nobody here takes");
        }
        if (order == DeviceConfig.Order.AFTER_ALL) {
            byte[] copy = new byte[extra.remaining()];
            extra.get(copy);
            lateConfig = copy;
        } else {
            config.load(extra);
        }
    }

    @Override
    public void loadFinish() throws IOException {
        if (config != null && lateConfig != null) {
            config.load(ByteBuffer.wrap(lateConfig).order(ByteOrder.LITTLE_ENDIAN));
        }
        requireLoading().finish();
    }

    private ResumingSession requireLoading() {
        if (loading == null) {
            throw new IllegalStateException("loading begins with loadSetup()");
        }
        return loading;
    }

    @Override
    public void resumeQuiesced() throws IOException {
        if (loading == null) {
            closeSessions();
            MigrationState now = device.state();
            // A device that runs on in PRE_COPY beside its running virtual machine is not to be quiesced now.
            if (before == MigrationState.RUNNING
                    && !now.isRunning()
                    && device.features().p2p()) {
                again(MigrationState.RUNNING_P2P);
            }
        } else if (device.features().p2p()) {
            run(MigrationState.RUNNING_P2P);
        }
    }

    @Override
    public void resume() throws IOException {
        if (loading == null) {
            closeSessions();
            again(before);
            requireState(before);
        } else {
            run(MigrationState.RUNNING);
            requireState(MigrationState.RUNNING);
        }
    }

    /** Where a step up begins: the other devices may have taken it, and are not to run beside one that is stopped. */
    private MigrationState stepBelow(MigrationState target) {
        return target == MigrationState.RUNNING && device.features().p2p()
                ? MigrationState.RUNNING_P2P
                : MigrationState.STOP;
    }

    /** A reset would lose what the device holds, so the step's beginning is where to recover to and to try again. */
    private void again(MigrationState target) throws VfioException {
        MigrationState recover = stepBelow(target);
        try {
            device.setState(target, recover);
        } catch (VfioException e) {
            if (e.deviceWasReset() || e.stateAfter() != recover) {
                throw e;
            }
            try {
                device.setState(target, recover);
            } catch (VfioException second) {
                second.addSuppressed(e);
                throw second;
            }
        }
    }

    /** The source has let go: recovering by a reset would lose the only copy of the state. */
    private void run(MigrationState target) throws IOException {
        MigrationState from = stepBelow(target);
        MigrationState now = device.state();
        if (now != from) {
            lost = true;
            throw new IOException("it is in " + now + ", not in " + from
                    + "; the device was reset or taken to another state, and what was loaded is lost");
        }
        keepingState(target, from);
    }

    private void keepingState(MigrationState target, MigrationState recover) throws VfioException {
        try {
            device.setState(target, recover);
        } catch (VfioException e) {
            lost |= e.deviceWasReset();
            throw e;
        }
    }

    private void requireState(MigrationState target) throws IOException {
        MigrationState now = device.state();
        if (now != target) {
            throw new IOException("it is in " + now + ", not in " + target);
        }
    }

    @Override
    public void discard() throws IOException {
        closeSessions();
        device.reset();
    }

    @Override
    public boolean hold() {
        try {
            device.setState(MigrationState.STOP, MigrationState.STOP);
        } catch (VfioException e) {
            lost |= e.deviceWasReset();
        }
        return !lost;
    }

    /** All is as before the first migration, but that a doubt about this one can still be resolved. */
    @Override
    public void cleanup() {
        closeSessions();
        saving = null;
        loading = null;
        initialBytes = 0;
        dirtyBytes = 0;
        stopCopyLength = 0;
        acksWanted = 0;
        reinitSeen = false;
        drained = false;
        lost = false;
        lateConfig = null;
    }

    private void closeSessions() {
        if (saving != null) {
            saving.close();
        }
        if (loading != null) {
            loading.close();
        }
    }
}
