// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.Struct;
import io.vfio4j.ffm.vfio.DataFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigDataSize;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigState;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigration;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * An open VFIO device that can migrate.
 *
 * <p>It is moved along the arcs of its state machine by {@link #setState}, {@link #startSaving} and
 * {@link #startResuming}, all of which share one rule: an arc that fails is followed by a look at the real state, by an
 * attempt to reach the given recover states, the first before the second, and by a reset where none can be reached; the
 * error of the arc is what the caller gets.
 *
 * <p>Any thread may call; two threads must not move the device at the same time. A device opened by {@link VfioHost}
 * owns its fds and closes them; one made by {@link #adopt} leaves its fd to whoever owns it.
 */
public final class VfioDevice implements AutoCloseable {
    /**
     * The stop-copy length that is assumed where the driver cannot tell, so that no downtime limit is broken by
     * ignorance.
     */
    public static final long UNKNOWN_STOP_COPY_LENGTH = 100L << 30;

    private static final int NO_FD = -1;

    private final DeviceFd fd;
    private final String name;
    private final DeviceIdentity identity;
    private final List<Integer> ownedFds;
    private final MigrationFeatures features;
    private final boolean reportsReinit;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile long lastArcNanos;
    private volatile long lastCallNanos;
    private volatile @Nullable MigrationState lastSeen;
    private volatile DeviceStateListener listener = DeviceStateListener.NONE;

    VfioDevice(DeviceFd fd, String name, DeviceIdentity identity, List<Integer> ownedFds) throws VfioException {
        this.fd = fd;
        this.name = name;
        this.identity = identity;
        this.ownedFds = ownedFds;
        this.features = queryFeatures();
        this.reportsReinit = features.preCopy() && optInToPrecopyInfoV2();
    }

    /**
     * Takes a device that somebody else has opened and goes on owning, as a virtual machine monitor does.
     *
     * @param libc the system calls
     * @param fd the device's fd: a bound cdev, or from its group
     * @param name what to call it in messages
     * @param identity what it is, see {@link DeviceIdentity#ofSysfs}
     * @return the device; closing it does not close the fd
     * @throws VfioException {@code NO_MIGRATION} where its driver cannot migrate it
     */
    public static VfioDevice adopt(LibC libc, int fd, String name, DeviceIdentity identity) throws VfioException {
        return new VfioDevice(new DeviceFd(libc, fd), name, identity, List.of());
    }

    /**
     * Returns what the device is called in messages.
     *
     * @return its address or the name that it was adopted under
     */
    public String name() {
        return name;
    }

    /**
     * Returns what the device is.
     *
     * @return its type and driver
     */
    public DeviceIdentity identity() {
        return identity;
    }

    /**
     * Returns the device itself, for what this class does not do: regions, interrupts, DMA logging.
     *
     * @return its fd, which stays this device's
     * @throws IllegalStateException when the device is closed
     */
    public DeviceFd deviceFd() {
        return fd();
    }

    /**
     * Returns which parts of the migration protocol the device has.
     *
     * @return {@code VFIO_DEVICE_FEATURE_MIGRATION}, asked for when it was opened
     */
    public MigrationFeatures features() {
        return features;
    }

    /**
     * Asks for the state that the device is in: {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE}.
     *
     * @return the state
     * @throws VfioException when the driver cannot tell
     */
    public MigrationState state() throws VfioException {
        try (Arena arena = Arena.ofConfined()) {
            Feature feature = new Feature(
                    arena,
                    Vfio.VFIO_DEVICE_FEATURE_GET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
                    VfioDeviceFeatureMigState.STRUCT);
            int result = fd().feature(feature.argument);
            if (result < 0) {
                throw new VfioException(Problem.FAILED, name, "asking for its migration state failed", result);
            }
            int code = VfioDeviceFeatureMigState.DEVICE_STATE.get(feature.payload);
            try {
                MigrationState state = MigrationState.of(code);
                lastSeen = state;
                return state;
            } catch (IllegalArgumentException e) {
                // It must not hide the error after which the state was asked for.
                throw new VfioException(Problem.FAILED, name, "it is in the unknown migration state " + code);
            }
        }
    }

    /**
     * Asks how much a stop-copy would transfer now: {@code VFIO_DEVICE_FEATURE_MIG_DATA_SIZE}.
     *
     * @return the driver's estimate in bytes; {@link #UNKNOWN_STOP_COPY_LENGTH} where it has none
     */
    public long stopCopyLength() {
        try (Arena arena = Arena.ofConfined()) {
            Feature feature = new Feature(
                    arena,
                    Vfio.VFIO_DEVICE_FEATURE_GET | Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
                    VfioDeviceFeatureMigDataSize.STRUCT);
            if (fd().feature(feature.argument) < 0) {
                return UNKNOWN_STOP_COPY_LENGTH;
            }
            long length = VfioDeviceFeatureMigDataSize.STOP_COPY_LENGTH.get(feature.payload);
            return length < 0 ? Long.MAX_VALUE : length;
        }
    }

    /**
     * Moves the device to a state that opens no data transfer session.
     *
     * @param target where to
     * @param recover where to go when that fails, the best state first; with none, the device is reset at once
     * @throws VfioException when the arc failed: {@link VfioException#stateAfter()} is the state that the device was
     *     left in; {@code ARC_REFUSED} without asking the kernel where the device lacks the state or where the request
     *     could lock up the kernel
     */
    public void setState(MigrationState target, MigrationState... recover) throws VfioException {
        int session = arc(target, recover);
        if (session != NO_FD) {
            fd.libc().close(session);
            throw new VfioException(
                    Problem.ARC_REFUSED,
                    name,
                    "setting " + target + " opened a data transfer session that nobody asked for");
        }
    }

    /**
     * Sets who hears of this device's arcs and resets from now on, in place of the one before.
     *
     * @param hears the listener; {@link DeviceStateListener#NONE} for nobody
     */
    public void listener(DeviceStateListener hears) {
        listener = hears;
    }

    /**
     * Returns how long the kernel took for the last arc: the driver's time, without this library's.
     *
     * @return nanoseconds; 0 before the first arc
     */
    public long lastArcNanos() {
        return lastArcNanos;
    }

    /**
     * Begins to read the device's state.
     *
     * @param target PRE_COPY while the device runs, or STOP_COPY
     * @param recover where to go when that fails, the best state first; with none, the device is reset at once
     * @return the session, which the caller closes
     * @throws VfioException as {@link #setState}
     */
    public SavingSession startSaving(MigrationState target, MigrationState... recover) throws VfioException {
        if (target != MigrationState.STOP_COPY && !target.isPreCopy()) {
            throw new IllegalArgumentException("saving happens in PRE_COPY or STOP_COPY, not in " + target);
        }
        return new SavingSession(this, openSession(target, recover), target, reportsReinit);
    }

    /**
     * Begins to write the device's state; what it held is lost.
     *
     * @param recover where to go when that fails, the best state first; with none, the device is reset at once
     * @return the session, which the caller closes
     * @throws VfioException as {@link #setState}
     */
    public ResumingSession startResuming(MigrationState... recover) throws VfioException {
        return new ResumingSession(this, openSession(MigrationState.RESUMING, recover));
    }

    /**
     * Resets the device: {@code VFIO_DEVICE_RESET}. It is RUNNING thereafter, and what state it held is lost.
     *
     * @throws VfioException when the reset failed or the device is not RUNNING thereafter
     */
    public void reset() throws VfioException {
        MigrationState from = lastSeen;
        try {
            resetUntold();
            tell(from, MigrationState.RUNNING, MigrationState.RUNNING, true, lastCallNanos, null);
        } catch (VfioException e) {
            long nanos = lastCallNanos;
            tell(from, MigrationState.RUNNING, stateOrNull(e), true, nanos, e);
            throw e;
        }
    }

    private void resetUntold() throws VfioException {
        int result = recorded("RESET", () -> fd().reset());
        if (result < 0) {
            throw new VfioException(Problem.FAILED, name, "resetting it failed", result);
        }
        MigrationState state = state();
        if (state != MigrationState.RUNNING) {
            throw new VfioException(Problem.FAILED, name, "it is in " + state + " after a reset, not in RUNNING");
        }
    }

    /**
     * Closes the fds that this device owns, the last opened first. Does nothing the second time. Whatever is asked of
     * the device thereafter is an {@link IllegalStateException}.
     */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            ownedFds.forEach(fd.libc()::close);
        }
    }

    /**
     * Returns name and identity.
     *
     * @return such as {@code /dev/vfio/devices/vfio0, mdev:mtty-mtty-2 (mtty)}
     */
    @Override
    public String toString() {
        return name + ", " + identity;
    }

    private DataFd openSession(MigrationState target, MigrationState... recover) throws VfioException {
        int session = arc(target, recover);
        if (session == NO_FD) {
            throw new VfioException(
                    Problem.ARC_REFUSED, name, "it is in " + target + " already, in a session that somebody else owns");
        }
        return new DataFd(fd.libc(), session);
    }

    /** The one way along an arc. Returns the data_fd of the session that it opened, or {@link #NO_FD}. */
    private int arc(MigrationState target, MigrationState... recover) throws VfioException {
        requireState(target);
        if (target.isPreCopy()) {
            refuseIfBlocked(target, state());
        }
        try (Arena arena = Arena.ofConfined()) {
            Feature feature = setStateArgument(arena, target);
            MigrationState from = lastSeen;
            int result = recorded(target.name(), () -> fd().feature(feature.argument));
            long nanos = lastCallNanos;
            lastArcNanos = nanos;
            if (result >= 0) {
                tell(from, target, target, false, nanos, null);
                return VfioDeviceFeatureMigState.DATA_FD.get(feature.payload);
            }
            VfioException failure =
                    new VfioException(Problem.FAILED, name, "setting state " + target + " failed", result);
            recover(failure, recover);
            tell(from, target, failure.stateAfter(), failure.deviceWasReset(), nanos, failure);
            throw failure;
        }
    }

    private void tell(
            @Nullable MigrationState from,
            MigrationState target,
            @Nullable MigrationState to,
            boolean reset,
            long nanos,
            @Nullable VfioException failure) {
        lastSeen = to;
        try {
            listener.onChange(new DeviceStateChange(name, from, target, to, nanos, reset, failure));
        } catch (RuntimeException | Error e) {
            // Who only watches must not be able to undo a handover.
            return;
        }
    }

    /** Makes a call that moves the device, as a recording shows it. */
    private int recorded(String target, IntSupplier call) {
        DeviceStateEvent event = new DeviceStateEvent();
        event.begin();
        long begin = System.nanoTime();
        int result = call.getAsInt();
        lastCallNanos = System.nanoTime() - begin;
        event.device = name;
        event.target = target;
        event.result = result;
        event.commit();
        return result;
    }

    private void requireState(MigrationState target) throws VfioException {
        boolean present = switch (target) {
            case STOP, RUNNING -> true;
            case STOP_COPY, RESUMING -> features.stopCopy();
            case RUNNING_P2P -> features.p2p();
            case PRE_COPY -> features.preCopy();
            case PRE_COPY_P2P -> features.preCopy() && features.p2p();
            case ERROR -> false;
        };
        if (!present) {
            throw new VfioException(
                    Problem.ARC_REFUSED, name, "it has no state " + target + " (migration features: " + features + ")");
        }
    }

    private void refuseIfBlocked(MigrationState target, MigrationState now) throws VfioException {
        if (target.isBlockedFrom(now)) {
            throw new VfioException(
                    Problem.ARC_REFUSED,
                    name,
                    "the arc " + now + " → " + target + " can lock up the kernel; go through STOP");
        }
    }

    /** After a failed SET the device is in any state of the path: looks where, and leads it to a known one. */
    private void recover(VfioException failure, MigrationState... states) {
        for (MigrationState state : states) {
            MigrationState now = stateOrNull(failure);
            if (now == null || now == MigrationState.ERROR) {
                break;
            }
            if (now == state || (!state.isBlockedFrom(now) && reach(state, failure))) {
                failure.recovered(state, false);
                return;
            }
        }
        try {
            resetUntold();
            failure.recovered(MigrationState.RUNNING, true);
        } catch (VfioException e) {
            failure.addSuppressed(e);
            failure.recovered(stateOrNull(failure), true);
        }
    }

    private boolean reach(MigrationState state, VfioException failure) {
        try (Arena arena = Arena.ofConfined()) {
            Feature feature = setStateArgument(arena, state);
            int result = recorded(state.name(), () -> fd().feature(feature.argument));
            if (result < 0) {
                failure.addSuppressed(new VfioException(
                        Problem.FAILED, name, "setting state " + state + " to recover failed", result));
                return false;
            }
            int session = VfioDeviceFeatureMigState.DATA_FD.get(feature.payload);
            if (session != NO_FD) {
                fd.libc().close(session);
            }
            return true;
        }
    }

    private @Nullable MigrationState stateOrNull(VfioException failure) {
        try {
            return state();
        } catch (VfioException e) {
            failure.addSuppressed(e);
            return null;
        }
    }

    private MigrationFeatures queryFeatures() throws VfioException {
        try (Arena arena = Arena.ofConfined()) {
            Feature feature = new Feature(
                    arena,
                    Vfio.VFIO_DEVICE_FEATURE_GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION,
                    VfioDeviceFeatureMigration.STRUCT);
            int result = fd().feature(feature.argument);
            if (Errno.ENOTTY.is(result) || Errno.EINVAL.is(result)) {
                throw new VfioException(
                        Problem.NO_MIGRATION,
                        name,
                        "its driver (" + identity.driver() + ") does not support migration; bind it to one that does",
                        result);
            }
            if (result < 0) {
                throw new VfioException(Problem.FAILED, name, "asking for its migration features failed", result);
            }
            return new MigrationFeatures(VfioDeviceFeatureMigration.FLAGS.get(feature.payload));
        }
    }

    private boolean optInToPrecopyInfoV2() {
        try (Arena arena = Arena.ofConfined()) {
            Feature feature = new Feature(
                    arena, Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, null);
            return fd().feature(feature.argument) >= 0;
        }
    }

    /** The one way to the device's fd: once it is closed, its number may be another file's. */
    private DeviceFd fd() {
        if (closed.get()) {
            throw new IllegalStateException(name + ": it is closed");
        }
        return fd;
    }

    private static Feature setStateArgument(Arena arena, MigrationState state) {
        Feature feature = new Feature(
                arena,
                Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
                VfioDeviceFeatureMigState.STRUCT);
        VfioDeviceFeatureMigState.DEVICE_STATE.set(feature.payload, state.code());
        VfioDeviceFeatureMigState.DATA_FD.set(feature.payload, NO_FD);
        return feature;
    }

    /** The argument of one VFIO_DEVICE_FEATURE call, and its payload. */
    private static final class Feature {
        final MemorySegment argument;
        final MemorySegment payload;

        Feature(Arena arena, int flags, @Nullable Struct payloadStruct) {
            argument = VfioDeviceFeature.allocate(arena, flags, payloadStruct == null ? 0 : payloadStruct.size());
            payload = VfioDeviceFeature.DATA.of(argument);
        }
    }
}
