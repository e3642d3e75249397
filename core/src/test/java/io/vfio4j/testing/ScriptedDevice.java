// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigDataSize;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigState;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigration;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device that does as a script says and records what was asked of it: the least that the state machine's callers can
 * be tested with. It walks no arcs: a SET that the script does not fail arrives.
 *
 * <p>Its sessions are memfds: what is saved in PRE_COPY, what is added in STOP_COPY, and what was loaded.
 */
public final class ScriptedDevice implements ScriptedLibC.Ioctls, AutoCloseable {
    /** All features. */
    public static final int ALL =
            Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_P2P | Vfio.VFIO_MIGRATION_PRE_COPY;

    private static final List<String> STATES =
            List.of("ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P");
    private static final int NO_FD = -1;
    private static final int PIECE = 1 << 16;

    private final ScriptedLibC libc;
    private final int fd;
    private final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    private final Deque<Failure> failures = new ArrayDeque<>();
    private final Deque<Errno> getFailures = new ArrayDeque<>();
    private volatile int state = Vfio.VFIO_DEVICE_STATE_RUNNING;
    private int session = NO_FD;

    /** {@code VFIO_MIGRATION_*}, or {@code -errno} for the query. */
    public volatile long features = ALL;

    /** What the opt-in to the second version of PRECOPY_INFO returns. */
    public volatile int precopyInfoV2 = Errno.ENOTTY.negated();

    /** What MIG_DATA_SIZE says, or {@code -errno}. */
    public volatile long stopCopyLength;

    /** Fills the answer of PRECOPY_INFO and returns 0 or {@code -errno}. */
    public volatile ScriptedLibC.Ioctls precopyInfo = (request, info) -> 0;

    /** What RESET returns. */
    public volatile int resetResult;

    /** What can be read in PRE_COPY. */
    public volatile byte[] preCopyState = {};

    /** What can be read in STOP_COPY, beyond what PRE_COPY had. */
    public volatile byte[] stopCopyState = {};

    /** What RESUMING was given, once it was left for STOP. */
    public volatile byte @Nullable [] loaded;

    /** Whether every SET opens a session, asked for or not. */
    public volatile boolean opensSessions;

    /** Whether no SET opens a session. */
    public volatile boolean opensNoSession;

    private record Failure(int target, Errno errno, int stateAfter) {}

    /**
     * Makes the device, in RUNNING, with all features.
     *
     * @param libc where its fds live
     */
    public ScriptedDevice(ScriptedLibC libc) {
        this.libc = libc;
        this.fd = libc.memfdCreate("device", LibC.MFD_CLOEXEC);
        libc.script(fd, this);
    }

    /**
     * Returns the device's own fd; {@link #close} closes it.
     *
     * @return the fd
     */
    public int fd() {
        return fd;
    }

    /**
     * Lets the next SET of a state fail.
     *
     * @param target the state
     * @param errno the error
     * @param stateAfter which state the device is in thereafter
     * @return this
     */
    public ScriptedDevice failSet(String target, Errno errno, String stateAfter) {
        failures.add(new Failure(STATES.indexOf(target), errno, STATES.indexOf(stateAfter)));
        return this;
    }

    /**
     * Lets the next GETs of the state fail.
     *
     * @param errnos one per call
     * @return this
     */
    public ScriptedDevice failGet(Errno... errnos) {
        getFailures.addAll(List.of(errnos));
        return this;
    }

    /**
     * Puts the device into a state.
     *
     * @param name the state's name
     * @return this
     */
    public ScriptedDevice in(String name) {
        state = STATES.indexOf(name);
        return this;
    }

    /**
     * Returns the state that the device is in.
     *
     * @return its name
     */
    public String state() {
        return STATES.get(state);
    }

    /**
     * Returns what was asked so far, and forgets it.
     *
     * @return such as {@code SET STOP_COPY}, {@code GET}, {@code RESET}
     */
    public List<String> calls() {
        List<String> copy = List.copyOf(calls);
        calls.clear();
        return copy;
    }

    @Override
    public synchronized int answer(long request, MemorySegment argument) {
        if (request == Vfio.VFIO_DEVICE_RESET) {
            calls.add("RESET");
            if (resetResult == 0) {
                endSession();
                state = Vfio.VFIO_DEVICE_STATE_RUNNING;
            }
            return resetResult;
        }
        if (request != Vfio.VFIO_DEVICE_FEATURE) {
            return Errno.ENOTTY.negated();
        }
        int flags = VfioDeviceFeature.FLAGS.get(argument);
        MemorySegment payload = VfioDeviceFeature.DATA.of(argument);
        boolean set = (flags & Vfio.VFIO_DEVICE_FEATURE_SET) != 0;
        return switch (flags & Vfio.VFIO_DEVICE_FEATURE_MASK) {
            case Vfio.VFIO_DEVICE_FEATURE_MIGRATION -> {
                if (features < 0) {
                    yield (int) features;
                }
                VfioDeviceFeatureMigration.FLAGS.set(payload, features);
                yield 0;
            }
            case Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE -> set ? set(payload) : get(payload);
            case Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE -> {
                if (stopCopyLength < 0) {
                    yield (int) stopCopyLength;
                }
                VfioDeviceFeatureMigDataSize.STOP_COPY_LENGTH.set(payload, stopCopyLength);
                yield 0;
            }
            case Vfio.VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 -> precopyInfoV2;
            default -> Errno.ENOTTY.negated();
        };
    }

    private int get(MemorySegment payload) {
        calls.add("GET");
        Errno failure = getFailures.poll();
        if (failure != null) {
            return failure.negated();
        }
        VfioDeviceFeatureMigState.DEVICE_STATE.set(payload, state);
        VfioDeviceFeatureMigState.DATA_FD.set(payload, NO_FD);
        return 0;
    }

    private int set(MemorySegment payload) {
        int target = VfioDeviceFeatureMigState.DEVICE_STATE.get(payload);
        calls.add("SET " + STATES.get(target));
        VfioDeviceFeatureMigState.DATA_FD.set(payload, NO_FD);
        Failure failure = failures.peek();
        if (failure != null && failure.target == target) {
            failures.remove();
            state = failure.stateAfter;
            return failure.errno.negated();
        }
        int from = state;
        state = target;
        if (target == from && !opensSessions) {
            return 0;
        }
        VfioDeviceFeatureMigState.DATA_FD.set(payload, arrive(from, target));
        return 0;
    }

    private int arrive(int from, int target) {
        boolean wasPreCopy = isPreCopy(from);
        if (target == Vfio.VFIO_DEVICE_STATE_STOP_COPY && wasPreCopy) {
            append(stopCopyState);
            return opensSessions ? begin(new byte[0]) : NO_FD;
        }
        if (isPreCopy(target) && wasPreCopy && !opensSessions) {
            return NO_FD;
        }
        if (from == Vfio.VFIO_DEVICE_STATE_RESUMING && target == Vfio.VFIO_DEVICE_STATE_STOP) {
            loaded = contents();
        }
        endSession();
        if (opensNoSession) {
            return NO_FD;
        }
        if (target == Vfio.VFIO_DEVICE_STATE_STOP_COPY) {
            return begin(stopCopyState);
        }
        if (isPreCopy(target)) {
            return begin(preCopyState);
        }
        return opensSessions || target == Vfio.VFIO_DEVICE_STATE_RESUMING ? begin(new byte[0]) : NO_FD;
    }

    private static boolean isPreCopy(int state) {
        return state == Vfio.VFIO_DEVICE_STATE_PRE_COPY || state == Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
    }

    /** The caller's fd shares its position with this device's; pwrite does not move it. */
    private int begin(byte[] contents) {
        endSession();
        session = libc.memfdCreate("session", LibC.MFD_CLOEXEC);
        append(contents);
        int data = libc.dup(session);
        libc.script(data, (request, info) -> {
            if (request != Vfio.VFIO_MIG_GET_PRECOPY_INFO
                    || VfioPrecopyInfo.ARGSZ.get(info) < VfioPrecopyInfo.STRUCT.size()) {
                return Errno.EINVAL.negated();
            }
            return precopyInfo.answer(request, info);
        });
        return data;
    }

    private void append(byte[] bytes) {
        try (Arena arena = Arena.ofConfined()) {
            long end = contents().length;
            MemorySegment memory = arena.allocate(Math.max(1, bytes.length));
            MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, 0, bytes.length);
            long written = libc.pwrite(session, memory, 0, bytes.length, end);
            if (written != bytes.length) {
                throw new IllegalStateException("a memfd took " + written + " of " + bytes.length + " bytes");
            }
        }
    }

    private byte[] contents() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(PIECE);
            long length = libc.pread(session, memory, 0, PIECE, 0);
            while (length > 0) {
                bytes.writeBytes(memory.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE));
                length = libc.pread(session, memory, 0, PIECE, bytes.size());
            }
        }
        return bytes.toByteArray();
    }

    private void endSession() {
        if (session != NO_FD) {
            libc.close(session);
            session = NO_FD;
        }
    }

    /** Closes the device's own fds. */
    @Override
    public synchronized void close() {
        endSession();
        libc.close(fd);
    }
}
