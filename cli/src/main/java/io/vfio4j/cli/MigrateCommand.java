// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Both sides in this process, over a connection of its own. */
@Command(
        name = "migrate",
        description = "Migrates a device to another one of this host: source and destination in one process, over a "
                + "connection between them.",
        footer = {
            "",
            "Examples:",
            "  vfio4j migrate",
            "  vfio4j migrate emulated:size=4GiB,dirty=500MiB/s --downtime-limit 100ms",
            "  vfio4j migrate emulated:size=256MiB --over tcp --json",
            "  vfio4j migrate /dev/vfio/devices/vfio0 /dev/vfio/devices/vfio1"
        })
final class MigrateCommand extends ReportingCommand {

    /** What connects both sides. */
    enum Loopback {
        /** TCP over the loopback interface, on a port that the kernel chooses. */
        TCP,
        /** A Unix socket in a private temporary folder. */
        UNIX
    }

    private static final String DEFAULT_SOURCE = "emulated:size=1GiB,dirty=100MiB/s";

    /** How long the destination may take, after the source has ended, beyond what it may wait for its peer. */
    private static final Duration DESTINATION_GRACE = Duration.ofSeconds(10);

    /** How long a destination may take to hear from the source that it has given up, before it is cancelled. */
    private static final Duration WORD_LIMIT = Duration.ofSeconds(2);

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "SOURCE",
            defaultValue = DEFAULT_SOURCE,
            converter = Converters.OfDevice.class,
            description = "The source device (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init") // picocli fills it
    DeviceName sourceName;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "DESTINATION",
            converter = Converters.OfDevice.class,
            description = "The destination device (default: for an emulated source, one that is like it and dirties "
                    + "nothing).")
    @Nullable
    DeviceName destinationName;

    @Option(
            names = "--over",
            paramLabel = "tcp|unix",
            defaultValue = "unix",
            converter = Converters.OfLoopback.class,
            description = "What connects them (default: ${DEFAULT-VALUE}).")
    Loopback over = Loopback.UNIX;

    @Mixin
    OutgoingOptions outgoing = new OutgoingOptions();

    @Mixin
    CommonOptions common = new CommonOptions();

    MigrateCommand(Environment environment) {
        super(environment);
    }

    @Override
    void run(Result result, ProgressPrinter progress) throws IOException {
        MigrationParameters parameters = outgoing.fill(common.fill(MigrationParameters.builder()), common.memory)
                .acceptLimit(LocalDestination.LISTEN_LIMIT)
                .build();
        DeviceName to = destination();
        result.field("source", sourceName.toString());
        result.field("destination", to.toString());
        result.field("over", over == Loopback.TCP ? "tcp" : "unix");
        environment.rehearsal().run();
        try (Devices devices = environment.devices().get();
                Devices.Opened source = devices.open(sourceName);
                Devices.Opened destination = devices.open(to);
                Meeting meeting = Meeting.of(over)) {
            try {
                migrate(devices, source, destination, meeting, parameters, result, progress);
                compare(source, destination, result);
            } finally {
                tellStates(source, destination, result);
            }
        }
    }

    private DeviceName destination() {
        DeviceName named = destinationName;
        if (named != null) {
            return named;
        }
        return switch (sourceName) {
            case DeviceName.Emulated emulated ->
                new DeviceName.Emulated(emulated.spec().withDirtyRate(0));
            case DeviceName.Real real ->
                throw new OutgoingOptions.BadValue(
                        "DESTINATION", "none", "a second device, as " + real + " is not emulated");
        };
    }

    private void migrate(
            Devices devices,
            Devices.Opened source,
            Devices.Opened destination,
            Meeting meeting,
            MigrationParameters parameters,
            Result result,
            ProgressPrinter progress)
            throws IOException {
        OutgoingMigration out = new OutgoingMigration(
                devices.libc(),
                VfioDeviceHandler.inOrder(source.vfio()),
                VirtualMachine.NONE,
                parameters,
                SwitchoverPolicy.STANDARD,
                progress);
        LocalDestination in = new LocalDestination(devices.libc(), destination.vfio(), parameters, progress::onNotice);
        environment
                .cancellation()
                .begin(
                        // The destination hears of it from the source.
                        out::cancel,
                        () -> progress.phase() == Phase.HANDOVER,
                        parameters.peerLimit().multipliedBy(2));
        in.start(meeting.address());
        MigrationException sourceFailure = null;
        try {
            result.report(out.run(in.awaitListening()), parameters);
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
        LoadReport loaded = in.report();
        if (loaded != null) {
            result.report(loaded);
        }
        if (sourceFailure != null && sourceFailure.reason() == Reason.IN_DOUBT) {
            // Both sides are in this process, so it is known who runs the device; while the destination has not ended,
            // it may.
            out.resolve(in.hasFailed() ? Resolution.RESUME_SOURCE : Resolution.KEEP_STOPPED);
        }
        IOException failure = account(sourceFailure, in.failure(), result);
        if (failure != null) {
            throw failure;
        }
        if (loaded == null) {
            throw new IllegalStateException("the destination ended neither well nor badly");
        }
    }

    /** Chooses the failure that the other one follows from, and leaves the other's words as a detail. */
    private static @Nullable IOException account(
            @Nullable MigrationException source, @Nullable IOException destination, Result result) {
        if (source == null || destination == null) {
            return source == null ? destination : source;
        }
        boolean destinationFirst = !isConsequence(destination) && isConsequence(source);
        IOException first = destinationFirst ? destination : source;
        IOException second = destinationFirst ? source : destination;
        if (!Failure.message(second).contains(Failure.message(first))) {
            result.detail((destinationFirst ? "source: " : "destination: ") + Failure.message(second));
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

    private static void compare(Devices.Opened source, Devices.Opened destination, Result result) {
        String left = source.digest();
        String right = destination.digest();
        result.field("sourceDigest", left);
        result.field("destinationDigest", right);
        if (left == null || right == null) {
            result.field("digestsEqual", null);
            return;
        }
        boolean equal = left.equals(right);
        result.field("digestsEqual", equal);
        result.line("");
        result.line("digests      source       " + left);
        result.line("             destination  " + right + "  " + (equal ? "equal" : "DIFFERENT"));
        if (!equal) {
            result.exit(ExitCode.DIFFERENT);
        }
    }

    private static void tellStates(Devices.Opened source, Devices.Opened destination, Result result) {
        String left = source.state();
        String right = destination.state();
        result.field("sourceState", left);
        result.field("destinationState", right);
        result.detail("the source device is in state " + left + ", the destination device in state " + right);
    }
}
