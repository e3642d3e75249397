// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
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
        LocalMigration migration =
                new LocalMigration(devices.libc(), sources.handlers(), destinations.handlers(), parameters, progress);
        environment
                .cancellation()
                .begin(
                        migration.source()::cancel,
                        () -> progress.phase() == Phase.HANDOVER,
                        parameters.peerLimit().multipliedBy(2));
        outgoing.startControl(migration.source(), environment.console(), progress);
        try {
            migration.run(meeting.address());
        } finally {
            MigrationReport report = migration.report();
            if (report != null) {
                result.report(report, migration.source().limits());
            }
            LoadReport loaded = migration.loaded();
            if (loaded != null) {
                result.report(loaded);
            }
            String other = migration.otherFailure();
            if (other != null) {
                result.detail(other);
            }
        }
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
