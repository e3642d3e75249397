// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.lang.foreign.MemorySegment;

/** The system calls of one side's device: others may run before each, and any may be the one that fails. */
final class SimulatedDevice extends ForwardingLibC implements AutoCloseable {
    private static final int FAILED = Errno.EIO.negated();

    private final SimulatedWorld world;
    private final Faults faults;
    private final Place place;
    private final ScriptedDevice script;
    private boolean failed;
    private boolean lost;
    private boolean wasReset;
    private boolean wasMoved;

    SimulatedDevice(SimulatedWorld world, Faults faults, Place place, boolean runs) {
        this(world, faults, place, runs, new ScriptedLibC());
    }

    private SimulatedDevice(SimulatedWorld world, Faults faults, Place place, boolean runs, ScriptedLibC libc) {
        super(libc);
        this.world = world;
        this.faults = faults;
        this.place = place;
        this.script = new ScriptedDevice(libc);
        if (!runs) {
            script.in("STOP");
        }
    }

    ScriptedDevice script() {
        return script;
    }

    boolean runs() {
        return script.state().equals("RUNNING");
    }

    /** Tells whether a call has failed. */
    boolean hasFailed() {
        return failed;
    }

    /** Tells whether it answers nothing any more, not even a reset. */
    boolean isLost() {
        return lost;
    }

    /** Tells whether it holds nothing that was loaded. */
    boolean isEmpty() {
        return wasReset || !wasMoved;
    }

    /** Tells whether it was to go to another state. */
    boolean wasMoved() {
        return wasMoved;
    }

    /** Tells whether what it held is gone by a reset. */
    boolean wasReset() {
        return wasReset;
    }

    @Override
    public int ioctl(int fd, long request, long value) {
        boolean reset = request == Vfio.VFIO_DEVICE_RESET;
        if (fails(reset ? "RESET" : "ioctl", reset)) {
            return FAILED;
        }
        wasReset |= reset;
        return super.ioctl(fd, request, value);
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        boolean set = request == Vfio.VFIO_DEVICE_FEATURE
                && (VfioDeviceFeature.FLAGS.get(argument) & Vfio.VFIO_DEVICE_FEATURE_SET) != 0;
        wasMoved |= set && world.isRunning();
        return fails(set ? "SET" : "query", !set) ? FAILED : super.ioctl(fd, request, argument);
    }

    @Override
    public long read(int fd, MemorySegment buffer, long offset, long length) {
        return fails("read", false) ? FAILED : super.read(fd, buffer, offset, length);
    }

    @Override
    public long write(int fd, MemorySegment buffer, long offset, long length) {
        return fails("write", false) ? FAILED : super.write(fd, buffer, offset, length);
    }

    private boolean fails(String what, boolean worksInError) {
        if (!world.isRunning()) {
            return false;
        }
        Kind fault = faults.next(place);
        world.letOthersRun();
        world.note("device: " + what);
        if (fault != null) {
            world.note(what + " " + fault);
            failed = true;
            switch (fault) {
                case DEVICE_CALL_FAILS -> {
                    return true;
                }
                case DEVICE_IN_ERROR -> {
                    script.in("ERROR");
                    return true;
                }
                case DEVICE_LOST -> lost = true;
                default -> throw new IllegalArgumentException(fault + " is no fault of a device");
            }
        }
        return lost || (script.state().equals("ERROR") && !worksInError);
    }

    @Override
    public void close() {
        script.close();
    }
}
