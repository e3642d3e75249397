// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.device.VfioException;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Says why a migration did not complete.
 *
 * <p>Its message is one line for a person. What went wrong while the devices were taken back is in
 * {@link #getSuppressed()}.
 */
public final class MigrationException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What kind of failure it is. */
    public enum Reason {
        /** The device, its driver or the virtual machine failed. */
        DEVICE,
        /** The peer cannot be reached, went silent or away; or a file cannot be read or written. */
        TRANSPORT,
        /** The peer or file speaks no vfio4j, or another version of it. */
        PROTOCOL,
        /** The two devices do not fit, or the destination cannot take the migration. */
        REFUSED,
        /** The stream was altered on its way. */
        DAMAGED,
        /** The other side gave up; the message says why. */
        PEER_FAILED,
        /** Pre-copy was not going to fit the downtime limit. */
        NOT_CONVERGED,
        /** The caller cancelled it. */
        CANCELLED,
        /** The connection was lost between COMMIT and its answer: see {@link OutgoingMigration#resolve}. */
        IN_DOUBT
    }

    private final Reason reason;

    MigrationException(Reason reason, String message) {
        this(reason, message, null);
    }

    MigrationException(Reason reason, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    /** Gives a failure of a part its place among the reasons. */
    static MigrationException of(IOException e) {
        return switch (e) {
            case MigrationException m -> m;
            case TransportException t -> new MigrationException(Reason.TRANSPORT, message(t), t);
            case StreamException s ->
                new MigrationException(
                        s.problem() == StreamException.Problem.DAMAGED ? Reason.DAMAGED : Reason.PROTOCOL,
                        message(s),
                        s);
            case VfioException v -> new MigrationException(Reason.DEVICE, message(v), v);
            default -> new MigrationException(Reason.DEVICE, message(e), e);
        };
    }

    /** Says that the caller cancelled; what failed meanwhile goes with it. */
    static MigrationException cancelled(@Nullable IOException meanwhile) {
        if (meanwhile instanceof MigrationException m && m.reason == Reason.CANCELLED) {
            return m;
        }
        MigrationException cancelled = new MigrationException(Reason.CANCELLED, "the migration was cancelled");
        if (meanwhile != null) {
            cancelled.addSuppressed(meanwhile);
        }
        return cancelled;
    }

    /**
     * Returns the kind of failure.
     *
     * @return the kind
     */
    public Reason reason() {
        return reason;
    }

    static String message(Throwable e) {
        String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : message;
    }
}
