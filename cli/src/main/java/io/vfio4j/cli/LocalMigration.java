// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Both sides of a migration in this process: the source's on the caller's thread, the destination's on another. */
final class LocalMigration {
    /** How long the destination may take, after the source has ended, beyond what it may wait for its peer. */
    private static final Duration DESTINATION_GRACE = Duration.ofSeconds(10);

    /** How long a destination may take to hear from the source that it has given up, before it is cancelled. */
    private static final Duration WORD_LIMIT = Duration.ofSeconds(2);

    private final MigrationParameters parameters;
    private final OutgoingMigration out;
    private final LocalDestination in;
    private @Nullable MigrationReport report;
    private @Nullable String otherFailure;

    LocalMigration(
            LibC libc,
            List<? extends StateHandler> sources,
            List<? extends StateHandler> destinations,
            MigrationParameters parameters,
            MigrationListener listener) {
        this.parameters = parameters;
        this.out = new OutgoingMigration(
                libc, sources, VirtualMachine.NONE, parameters, SwitchoverPolicy.STANDARD, listener);
        this.in = new LocalDestination(libc, destinations, parameters, listener::onNotice);
    }

    /** The source's side: the destination hears from it of a cancel. */
    OutgoingMigration source() {
        return out;
    }

    /** What the source did; null while it has not ended well. */
    @Nullable
    MigrationReport report() {
        return report;
    }

    /** What the destination did; null while it does not run the devices. */
    @Nullable
    LoadReport loaded() {
        return in.report();
    }

    /** What failed at the other side of the failure that was thrown, and says something else; null for nothing. */
    @Nullable
    String otherFailure() {
        return otherFailure;
    }

    /**
     * Migrates.
     *
     * @param meeting where both sides meet
     * @throws IOException the failure that the other side's follows from; no side is in doubt thereafter
     */
    void run(TransportAddress.Peer meeting) throws IOException {
        in.start(meeting);
        MigrationException sourceFailure = null;
        try {
            report = out.run(in.awaitListening());
        } catch (MigrationException e) {
            sourceFailure = e;
            in.awaitEnd(WORD_LIMIT);
            in.cancel();
        } catch (IOException | RuntimeException | Error e) {
            in.cancel();
            throw e;
        } finally {
            in.awaitEnd(parameters.peerLimit().plus(DESTINATION_GRACE));
        }
        if (sourceFailure != null && sourceFailure.reason() == Reason.IN_DOUBT) {
            // Both sides are in this process, so it is known who runs the device; while the destination has not ended,
            // it may.
            out.resolve(in.hasFailed() ? Resolution.RESUME_SOURCE : Resolution.KEEP_STOPPED);
        }
        IOException failure = account(sourceFailure, in.failure());
        if (failure != null) {
            throw failure;
        }
        if (in.report() == null) {
            throw new IllegalStateException("the destination ended neither well nor badly");
        }
    }

    /** Chooses the failure that the other one follows from, and keeps the other's words. */
    private @Nullable IOException account(@Nullable MigrationException source, @Nullable IOException destination) {
        if (source == null || destination == null) {
            return source == null ? destination : source;
        }
        boolean destinationFirst = !isConsequence(destination) && isConsequence(source);
        IOException first = destinationFirst ? destination : source;
        IOException second = destinationFirst ? source : destination;
        if (!Failure.message(second).contains(Failure.message(first))) {
            otherFailure = (destinationFirst ? "source: " : "destination: ") + Failure.message(second);
        }
        return first;
    }

    private static boolean isConsequence(IOException failure) {
        return failure instanceof MigrationException migration
                && switch (migration.reason()) {
                    case PEER_FAILED, REFUSED, TRANSPORT, CANCELLED -> true;
                    default -> false;
                };
    }
}
