// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.ffm.Errno;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Says what failed on which device, with the errno by name and, where there is something to do, what. */
public final class VfioException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What kind of failure it is. */
    public enum Problem {
        /** There is no such device. */
        NO_SUCH_DEVICE,
        /** The device is not bound to a VFIO driver. */
        NOT_BOUND,
        /** Something else uses the device. */
        BUSY,
        /** This process may not open the device. */
        NO_PERMISSION,
        /** The device's driver cannot migrate it. */
        NO_MIGRATION,
        /** Another device of the same group is bound to a driver that is not VFIO's. */
        GROUP_NOT_VIABLE,
        /** The requested arc is one that vfio4j never requests, or that this device does not have. */
        ARC_REFUSED,
        /** The data transfer session has ended: the device was reset or has left its state. */
        SESSION_ENDED,
        /** The driver or the kernel reported an error. */
        FAILED
    }

    private final Problem problem;
    private final String device;
    private final int errno;
    private @Nullable MigrationState stateAfter;
    private boolean deviceWasReset;

    VfioException(Problem problem, String device, String message) {
        this(problem, device, message, 0);
    }

    VfioException(Problem problem, String device, String message, long result) {
        super(device + ": " + message + (result < 0 ? ": " + Errno.describe(result) : ""));
        this.problem = problem;
        this.device = device;
        this.errno = (int) -result;
    }

    /**
     * Returns the kind of failure.
     *
     * @return the kind
     */
    public Problem problem() {
        return problem;
    }

    /**
     * Returns which device failed.
     *
     * @return its name
     */
    public String device() {
        return device;
    }

    /**
     * Returns the kernel's error.
     *
     * @return an errno, or 0 where no call failed
     */
    public int errno() {
        return errno;
    }

    /**
     * Returns the state that was read back after a failing arc and its recovery.
     *
     * @return the state, or null where it is unknown or no arc was involved
     */
    public @Nullable MigrationState stateAfter() {
        return stateAfter;
    }

    /**
     * Tells whether recovery had to reset the device, so that the state it held is lost.
     *
     * @return whether it was reset
     */
    public boolean deviceWasReset() {
        return deviceWasReset;
    }

    void recovered(@Nullable MigrationState state, boolean reset) {
        stateAfter = state;
        deviceWasReset = reset;
    }
}
