// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Says what failed between here and a peer or file, and what to do. */
public final class TransportException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What kind of failure it is. */
    public enum Problem {
        /** The peer or file cannot be reached or made. */
        UNREACHABLE,
        /** The peer was silent for longer than it may be. */
        TIMED_OUT,
        /** The stream ended before it should have: the peer closed its connection, or the file is cut short. */
        ENDED,
        /** Reading or writing failed, such as for a full disk. */
        FAILED
    }

    private final Problem problem;

    /**
     * Makes an exception.
     *
     * @param problem what went wrong
     * @param message whose connection it was, and what failed, as one line for a person
     * @param cause the failure behind it; null when there is none
     */
    public TransportException(Problem problem, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.problem = problem;
    }

    /**
     * Returns the kind of failure.
     *
     * @return the kind
     */
    public Problem problem() {
        return problem;
    }
}
