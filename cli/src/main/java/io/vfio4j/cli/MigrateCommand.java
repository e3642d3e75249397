// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Both sides in this process, over a connection of its own. */
@Command(
        name = "migrate",
        description = "Migrates devices to others of this host: sources and destinations in one process, over a "
                + "connection between them.",
        footer = {
            "",
            "Examples:",
            "  vfio4j migrate",
            "  vfio4j migrate emulated:size=4GiB,dirty=500MiB/s --downtime-limit 100ms",
            "  vfio4j migrate emulated:size=256MiB --over tcp --json",
            "  vfio4j migrate /dev/vfio/devices/vfio0 /dev/vfio/devices/vfio1",
            "  vfio4j migrate emulated:size=64MiB emulated:size=64MiB emulated:size=8MiB emulated:size=8MiB"
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
            arity = "0..*",
            paramLabel = "[SOURCE DESTINATION]...",
            hideParamSyntax = true,
            description = "The source devices, each followed by its destination (default: " + DEFAULT_SOURCE
                    + "). The destination of a lone emulated source may be left out: then it is one like it that "
                    + "dirties nothing.")
    List<String> words = List.of();

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
        List<DeviceName> named = Words.devices(words.isEmpty() ? List.of(DEFAULT_SOURCE) : words);
        Words.requireDistinct(named);
        List<DeviceName> pairs = named.size() == 1 ? List.of(named.getFirst(), like(named.getFirst())) : named;
        if (pairs.size() % 2 != 0) {
            throw new OutgoingOptions.BadValue(
                    words.size() + " devices make no pairs; name a destination after each source");
        }
        List<DeviceName> from = everyOther(pairs, 0);
        List<DeviceName> to = everyOther(pairs, 1);
        Words.requireNotTooMany(from);
        MigrationParameters parameters = outgoing.fill(
                        common.fill(MigrationParameters.builder()), common.memoryFor(from.size()))
                .acceptLimit(LocalDestination.LISTEN_LIMIT)
                .build();
        result.devices("source", from);
        result.devices("destination", to);
        result.field("over", over == Loopback.TCP ? "tcp" : "unix");
        environment.rehearsal().run();
        try (Devices devices = environment.devices().get();
                DeviceSet sources = DeviceSet.open(devices, from);
                DeviceSet destinations = DeviceSet.open(devices, to);
                Meeting meeting = Meeting.of(over)) {
            try {
                migrate(devices, sources, destinations, meeting, parameters, result, progress);
                compare(sources, destinations, result);
            } finally {
                sources.tellStates(result, "source");
                destinations.tellStates(result, "destination");
            }
        }
    }

    private static List<DeviceName> everyOther(List<DeviceName> names, int first) {
        return IntStream.range(0, names.size() / 2)
                .mapToObj(i -> names.get(2 * i + first))
                .toList();
    }

    private static DeviceName like(DeviceName source) {
        return switch (source) {
            case DeviceName.Emulated emulated ->
                new DeviceName.Emulated(emulated.spec().withDirtyRate(0));
            case DeviceName.Real real ->
                throw new OutgoingOptions.BadValue(
                        "DESTINATION", "none", "a second device, as " + real + " is not emulated");
        };
    }

    private void migrate(
            Devices devices,
            DeviceSet sources,
            DeviceSet destinations,
            Meeting meeting,
            MigrationParameters parameters,
            Result result,
            ProgressPrinter progress)
            throws IOException {
        OutgoingMigration out = new OutgoingMigration(
                devices.libc(),
                sources.handlers(),
                VirtualMachine.NONE,
                parameters,
                SwitchoverPolicy.STANDARD,
                progress);
        LocalDestination in =
                new LocalDestination(devices.libc(), destinations.handlers(), parameters, progress::onNotice);
        environment
                .cancellation()
                .begin(
                        // The destination hears of it from the source.
                        out::cancel,
                        () -> progress.phase() == Phase.HANDOVER,
                        parameters.peerLimit().multipliedBy(2));
        outgoing.startControl(out, environment.console(), progress);
        in.start(meeting.address());
        MigrationException sourceFailure = null;
        try {
            result.report(out.run(in.awaitListening()), out.limits());
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

    private static void compare(DeviceSet sources, DeviceSet destinations, Result result) {
        boolean comparable = true;
        boolean allEqual = true;
        result.line("");
        for (int i = 0; i < sources.size(); i++) {
            String left = sources.get(i).digest();
            String right = destinations.get(i).digest();
            result.deviceField(i, "sourceDigest", left);
            result.deviceField(i, "destinationDigest", right);
            if (left == null || right == null) {
                comparable = false;
                result.deviceField(i, "digestsEqual", null);
                continue;
            }
            boolean equal = left.equals(right);
            allEqual &= equal;
            result.deviceField(i, "digestsEqual", equal);
            String name = sources.size() == 1 ? "" : "  " + Result.nameOf(i);
            result.line((i == 0 ? "digests      " : "             ") + "source       " + left + name);
            result.line("             destination  " + right + "  " + (equal ? "equal" : "DIFFERENT"));
        }
        result.field("digestsEqual", (comparable || !allEqual) ? allEqual : null);
        if (!allEqual) {
            result.exit(ExitCode.DIFFERENT);
        }
    }
}
