// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import java.io.IOException;

/** Says what is wrong with a stream that was received. */
public final class StreamException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What kind of fault it is. */
    public enum Problem {
        /** The bytes are not vfio4j's. */
        NOT_VFIO4J,
        /** The other side speaks another version of the format. */
        OTHER_VERSION,
        /** A checksum, a sequence number or a total does not fit: the stream was altered on its way. */
        DAMAGED,
        /** A well-formed frame at a point where it makes no sense, or beyond a limit. */
        UNEXPECTED
    }

    private final Problem problem;

    /**
     * Makes an exception.
     *
     * @param problem the kind of fault
     * @param message what is wrong, in one line
     */
    public StreamException(Problem problem, String message) {
        super(message);
        this.problem = problem;
    }

    /**
     * Returns the kind of fault.
     *
     * @return the kind
     */
    public Problem problem() {
        return problem;
    }
}
