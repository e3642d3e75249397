// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.ffm.Errno;
import java.io.IOException;

/** Says why memory could not be watched, which source could not, and what to do. */
public final class DirtyTrackingException extends IOException {
    private static final long serialVersionUID = 1;

    /** The kind of failure. */
    public enum Problem {
        /** Kernel, driver or IOMMU cannot do it: choose another source. */
        UNSUPPORTED,
        /** A range is misaligned, overlaps another or is not one that was started. */
        BAD_RANGE,
        /** A page size that is no power of two, or that the source cannot report by. */
        BAD_PAGE_SIZE,
        /** It runs already, or somebody else uses it. */
        BUSY,
        /** It belongs to another process, or is closed, or is not what it should be. */
        FOREIGN,
        /** It has not been started, or is closed. */
        NOT_STARTED,
        /** The kernel answered an error that means none of the others. */
        FAILED
    }

    /** The kind of failure. */
    private final Problem problem;

    /** The kernel's error, or 0. */
    private final int errno;

    DirtyTrackingException(Problem problem, String source, String message) {
        this(problem, source, message, 0);
    }

    DirtyTrackingException(Problem problem, String source, String message, long result) {
        super(source + ": " + message + (result < 0 ? ": " + Errno.describe(result) : ""));
        this.problem = problem;
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
     * Returns the kernel's error.
     *
     * @return an errno, or 0 where no call failed
     */
    public int errno() {
        return errno;
    }
}
