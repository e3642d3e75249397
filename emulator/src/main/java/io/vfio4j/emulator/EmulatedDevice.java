// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP_COPY;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.device.VfioHost;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A migratable PCI device inside this process, with the state machine, the sessions and the errors of the kernel.
 *
 * <p>It is driven through the fds that {@link EmulatedKernel} hands out; the methods here are what a test or a tool
 * sees from beside: contents, faults, and events that come from the device. While the device runs, its state changes at
 * the rate of its {@link EmulatedDeviceSpec}: not by a thread, but at each call by as much as the time since the last
 * one is worth, so that an injected clock makes it repeatable.
 *
 * <p>For any thread: one lock guards a device. Owned by its kernel, which closes it.
 */
public final class EmulatedDevice {
    /** The vendor id in the PCI configuration space, and the subsystem's. */
    public static final int PCI_VENDOR = 0x1234;

    /** The device id in the PCI configuration space. */
    public static final int PCI_DEVICE = 0x4a56;

    /** The subsystem id in the PCI configuration space. */
    public static final int PCI_SUBSYSTEM = 0x0001;

    /** What {@link #setState} returns when no session was opened. Errnos end at 4,095. */
    static final int NO_FD = Integer.MIN_VALUE;

    static final MemorySegment CONFIG_SPACE = configSpace();

    private static final String DRIVER = "vfio4j-emulator";
    private static final double NANOS_PER_SECOND = 1e9;

    private final EmulatedKernel kernel;
    private final LongSupplier nanoTime;
    private final EmulatedDeviceSpec spec;
    private final int number;
    private final StateContents contents;
    private final LibC libc;
    private final Faults faults;
    private final Object lock = new Object();

    private int state = VFIO_DEVICE_STATE_RUNNING;
    /** Lives until the device leaves its states, also when the caller has closed its fd: a load is complete or not. */
    private @Nullable DataFile session;

    private boolean precopyInfoV2;
    private boolean walking;
    private boolean resetWanted;
    private boolean closed;
    private long changedUntil;
    private long changes;

    EmulatedDevice(EmulatedKernel kernel, LibC libc, LongSupplier nanoTime, EmulatedDeviceSpec spec, int number) {
        this.kernel = kernel;
        this.libc = libc;
        this.nanoTime = nanoTime;
        this.spec = spec;
        this.number = number;
        long seed = StateContents.mix(spec.seed() + StateContents.mix(number));
        this.contents = new StateContents(libc, spec.size(), seed, spec.sparse());
        this.changes = seed;
        this.faults = new Faults(this, spec);
        this.changedUntil = nanoTime.getAsLong();
    }

    /**
     * Returns what the device is like.
     *
     * @return the spec it was made from
     */
    public EmulatedDeviceSpec spec() {
        return spec;
    }

    /**
     * Returns the name that {@code VFIO_GROUP_GET_DEVICE_FD} wants.
     *
     * @return such as {@code emulated0}
     */
    public String name() {
        return "emulated" + number;
    }

    /**
     * Returns the path to open it as a cdev.
     *
     * @return such as {@code /dev/vfio/devices/vfio0}
     */
    public String cdevPath() {
        return EmulatedKernel.CDEVS + "vfio" + number;
    }

    /**
     * Returns the path of its group.
     *
     * @return such as {@code /dev/vfio/0}
     */
    public String groupPath() {
        return EmulatedKernel.GROUPS + number;
    }

    /**
     * Opens the device by its cdev; the caller closes it.
     *
     * @return the device; what it is says its size, for states of different sizes do not fit
     * @throws VfioException when it is open already, or a fault was asked for
     */
    public VfioDevice open() throws VfioException {
        VfioHost host = new VfioHost(kernel, Path.of("/sys"), Path.of("/dev"));
        return host.open(
                DeviceAddress.parse(cdevPath()),
                new DeviceIdentity(EmulatedDeviceSpec.PREFIX + "size=" + ByteSize.format(spec.size()), DRIVER));
    }

    /**
     * Returns the way to make it fail.
     *
     * @return the faults of this device
     */
    public Faults faults() {
        return faults;
    }

    /**
     * Returns the migration state.
     *
     * @return {@code VFIO_DEVICE_STATE_*}
     */
    public int state() {
        synchronized (lock) {
            return state;
        }
    }

    /**
     * Digests the contents of the state as they are now (XXH64, seed 0); two devices with the same contents have the
     * same digest. Takes about a second for 4 GiB, and the device's other callers wait.
     *
     * @return the digest
     * @throws IllegalStateException after the kernel was closed
     */
    public long digest() {
        synchronized (lock) {
            if (closed) {
                throw new IllegalStateException("the emulated kernel is closed");
            }
            change();
            return contents.digest();
        }
    }

    /**
     * Resets the device, as {@code VFIO_DEVICE_RESET} does: it is in RUNNING, and the fds of its session are dead. When
     * a change of state is under way in this thread (from a fault's action), the reset comes at its end.
     */
    public void reset() {
        synchronized (lock) {
            if (walking) {
                resetWanted = true;
            } else {
                resetNow();
            }
        }
    }

    /** Takes the device to ERROR, as a fatal fault of the hardware would: only a reset leads on. */
    public void enterError() {
        synchronized (lock) {
            change();
            endSession();
            state = VFIO_DEVICE_STATE_ERROR;
        }
    }

    /**
     * Makes new initial data in PRE_COPY, as a device does whose set-up has changed: what is to be sent, and the first
     * part of the state again, is {@code initial_bytes}, {@code dirty_bytes} is 0, and the next PRECOPY_INFO says
     * {@code VFIO_PRECOPY_INFO_REINIT} to who has opted in. Does nothing in other states.
     */
    public void reinit() {
        synchronized (lock) {
            if (session instanceof SavingFile saving && MigrationArcs.isPreCopy(state)) {
                change();
                saving.stream.reinit();
                saving.reinitUntold = true;
            }
        }
    }

    long features() {
        long features = Vfio.VFIO_MIGRATION_STOP_COPY;
        if (spec.p2p()) {
            features |= Vfio.VFIO_MIGRATION_P2P;
        }
        if (spec.preCopy()) {
            features |= Vfio.VFIO_MIGRATION_PRE_COPY;
        }
        return features;
    }

    void optInToPrecopyInfoV2() {
        synchronized (lock) {
            precopyInfoV2 = true;
        }
    }

    int stateByCall() {
        int fault = faults.before(Faults.Kind.GET_STATE);
        if (fault < 0) {
            return fault;
        }
        synchronized (lock) {
            // A device changes while nobody looks; what has piled up here must not make the next arc look slow.
            change();
            return state;
        }
    }

    long dataSizeByCall() {
        int fault = faults.before(Faults.Kind.DATA_SIZE);
        if (fault < 0) {
            return fault;
        }
        synchronized (lock) {
            change();
            return session instanceof SavingFile saving ? saving.stream.remaining() : StateFormat.bytesOf(spec.size());
        }
    }

    int resetByCall() {
        int fault = faults.before(Faults.Kind.RESET);
        if (fault == 0) {
            reset();
        }
        return fault;
    }

    /** Walks to a state: the fd of the session that was opened, {@link #NO_FD}, or -errno. */
    int setState(int wanted) {
        int fault = faults.before(Faults.Kind.SET_STATE);
        if (fault < 0) {
            return fault;
        }
        synchronized (lock) {
            walking = true;
            int result = NO_FD;
            while (state != wanted && (result >= 0 || result == NO_FD)) {
                int next = MigrationArcs.next(state, wanted, features());
                if (next < 0) {
                    result = next;
                    break;
                }
                int from = state;
                fault = faults.beforeArc(from, next);
                if (fault < 0) {
                    result = fault;
                } else if (state == from) {
                    result = step(next);
                }
            }
            walking = false;
            if (resetWanted) {
                resetNow();
            }
            return result;
        }
    }

    long read(SavingFile file, MemorySegment buffer, long offset, long length) {
        int fault = faults.before(Faults.Kind.READ);
        if (fault < 0) {
            return fault;
        }
        synchronized (lock) {
            change();
            if (file.ended || length == 0) {
                return file.ended ? Errno.ENODEV.negated() : 0;
            }
            long limit = faults.limit(Faults.Kind.READ, file.position, length);
            if (limit < 0 || file.ended) {
                return limit < 0 ? limit : Errno.ENODEV.negated();
            }
            long n = file.stream.read(buffer, offset, limit);
            if (n > 0) {
                file.position += n;
            } else if (n == 0 && state != VFIO_DEVICE_STATE_STOP_COPY) {
                return spec.drained() == EmulatedDeviceSpec.Drained.ENOMSG ? Errno.ENOMSG.negated() : 0;
            }
            return n;
        }
    }

    long write(LoadingFile file, MemorySegment buffer, long offset, long length) {
        int fault = faults.before(Faults.Kind.WRITE);
        if (fault < 0) {
            return fault;
        }
        synchronized (lock) {
            if (file.ended || length == 0) {
                return file.ended ? Errno.ENODEV.negated() : 0;
            }
            long limit = faults.limit(Faults.Kind.WRITE, file.position, length);
            if (limit < 0 || file.ended) {
                return limit < 0 ? limit : Errno.ENODEV.negated();
            }
            long n = file.stream.write(buffer, offset, limit);
            file.position += Math.max(0, n);
            return n;
        }
    }

    int precopyInfo(SavingFile file, MemorySegment info) {
        int fault = faults.before(Faults.Kind.PRECOPY_INFO);
        if (fault < 0) {
            return fault;
        }
        int result = Arguments.check(info, VfioPrecopyInfo.STRUCT.size());
        if (result < 0) {
            return result;
        }
        synchronized (lock) {
            if (!MigrationArcs.isPreCopy(state)) {
                return Errno.EINVAL.negated();
            }
            if (file.ended) {
                return Errno.ENODEV.negated();
            }
            change();
            if (precopyInfoV2) {
                VfioPrecopyInfo.FLAGS.set(info, file.reinitUntold ? Vfio.VFIO_PRECOPY_INFO_REINIT : 0);
                file.reinitUntold = false;
            }
            VfioPrecopyInfo.INITIAL_BYTES.set(info, file.stream.initialBytes());
            VfioPrecopyInfo.DIRTY_BYTES.set(info, file.stream.dirtyBytes());
            return 0;
        }
    }

    /** Nobody has the device open any more: the next who opens it finds it as new, but for its contents. */
    void lastFileClosed() {
        synchronized (lock) {
            resetNow();
            precopyInfoV2 = false;
        }
    }

    void close() {
        synchronized (lock) {
            if (!closed) {
                closed = true;
                endSession();
                contents.close();
            }
        }
    }

    private void resetNow() {
        resetWanted = false;
        change();
        endSession();
        state = VFIO_DEVICE_STATE_RUNNING;
        changedUntil = nanoTime.getAsLong();
    }

    private void endSession() {
        if (session != null) {
            session.ended = true;
            session = null;
        }
    }

    /** Takes one arc: the fd of the session that it opens, {@link #NO_FD}, or -errno and the state is as before. */
    private int step(int next) {
        if (closed) {
            return Errno.ENODEV.negated();
        }
        change();
        int result = NO_FD;
        boolean toPreCopy = next == VFIO_DEVICE_STATE_PRE_COPY || next == VFIO_DEVICE_STATE_PRE_COPY_P2P;
        if (state == VFIO_DEVICE_STATE_RESUMING) {
            if (!(session instanceof LoadingFile loading) || !loading.stream.isComplete()) {
                return Errno.EINVAL.negated();
            }
            endSession();
        } else if (next == VFIO_DEVICE_STATE_RESUMING) {
            result = open(new LoadingFile(this, new LoadingStream(contents, spec.size())));
        } else if (toPreCopy && !MigrationArcs.isPreCopy(state)) {
            result = open(newSavingFile());
        } else if (next == VFIO_DEVICE_STATE_STOP_COPY) {
            if (state == VFIO_DEVICE_STATE_STOP) {
                result = open(newSavingFile());
            }
            if (session instanceof SavingFile saving) {
                saving.stream.enterStopCopy();
            }
        } else if (!toPreCopy) {
            endSession();
        }
        if (result < 0 && result != NO_FD) {
            return result;
        }
        state = next;
        changedUntil = nanoTime.getAsLong();
        return result;
    }

    private SavingFile newSavingFile() {
        return new SavingFile(this, new SavingStream(libc, contents.fd(), spec.size(), spec.initial()));
    }

    private int open(DataFile file) {
        int fd = kernel.install(file, "vfio-data", true);
        if (fd >= 0) {
            session = file;
        }
        return fd;
    }

    /** Changes the state by as much as the time since the last change is worth, but each block no more than once. */
    private void change() {
        if (spec.dirtyRate() == 0 || !MigrationArcs.isRunning(state) || closed) {
            return;
        }
        double nanosPerBlock = BlockSet.BLOCK_BYTES * NANOS_PER_SECOND / spec.dirtyRate();
        long elapsed = nanoTime.getAsLong() - changedUntil;
        long due = (long) (elapsed / nanosPerBlock);
        if (due <= 0) {
            return;
        }
        changedUntil += (long) (due * nanosPerBlock);
        int blocks = BlockSet.blocksOf(spec.size());
        SavingStream stream = session instanceof SavingFile saving ? saving.stream : null;
        for (long i = Math.min(due, blocks); i > 0; i--) {
            long value = StateContents.mix(++changes);
            int block = (int) Math.multiplyHigh(value >>> 1, (long) blocks << 1);
            contents.change(block, value);
            if (stream != null) {
                stream.changed(block);
            }
        }
    }

    private static MemorySegment configSpace() {
        MemorySegment config = Arena.global().allocate(256, Long.BYTES);
        config.set(StateFormat.U32, 0x00, PCI_DEVICE << 16 | PCI_VENDOR);
        config.set(StateFormat.U32, 0x2c, PCI_SUBSYSTEM << 16 | PCI_VENDOR);
        return config.asReadOnly();
    }
}
