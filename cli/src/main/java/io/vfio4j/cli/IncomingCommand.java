// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The destination's side alone: receive and load. */
abstract class IncomingCommand extends ReportingCommand {
    @Mixin
    CommonOptions common = new CommonOptions();

    IncomingCommand(Environment environment) {
        super(environment);
    }

    abstract List<String> words();

    abstract TransportAddress from();

    MigrationParameters.Builder parameters(int devices) {
        return OutgoingOptions.fillReceiving(common.fill(MigrationParameters.builder()), common.memoryFor(devices));
    }

    @Override
    void run(Result result, ProgressPrinter progress) throws IOException {
        TransportAddress from = from();
        List<DeviceName> names = Words.devicesBeforeLast(words());
        MigrationParameters parameters = parameters(names.size()).build();
        result.devices("device", names);
        result.field("from", from.toString());
        environment.rehearsal().run();
        try (Devices devices = environment.devices().get();
                DeviceSet destinations = DeviceSet.open(devices, names)) {
            IncomingMigration migration = new IncomingMigration(
                    devices.libc(), destinations.handlers(), VirtualMachine.NONE, parameters, progress);
            environment
                    .cancellation()
                    .begin(
                            migration::cancel,
                            () -> progress.phase() == Phase.HANDOVER,
                            parameters.peerLimit().multipliedBy(2));
            try {
                LoadReport report = migration.run(from);
                result.report(report);
                result.loadTable(report);
                destinations.tellDigests(result);
            } catch (MigrationException e) {
                if (migration.holdsState()) {
                    hold(result, progress, e);
                }
                throw e;
            } finally {
                destinations.tellStates(result, "destination");
            }
        }
    }

    WhenInDoubt whenInDoubt() {
        return WhenInDoubt.KEEP_STOPPED;
    }

    /** The source has let go, and the device does not run here: its state lives as long as it is open. */
    private void hold(Result result, ProgressPrinter progress, MigrationException failure) throws IOException {
        if (whenInDoubt() != WhenInDoubt.ASK) {
            result.detail("the state that is held ends with this process; --when-in-doubt ask would have held it");
            return;
        }
        progress.close();
        environment.console().err().println("in doubt: " + Failure.message(failure));
        environment.console().ask("Has the source been resolved, so that the state held here may go? [yes]", "yes");
    }

    /** From another process. */
    @Command(
            name = "receive",
            description = "Waits for a peer that sends, and loads the state of its devices into devices here.",
            footer = {
                "",
                "'listening on PEER' is printed on standard error as soon as a source can connect; with port 0",
                "the kernel chooses the port. Whoever connects and does not speak vfio4j is turned away.",
                "",
                "Examples:",
                "  vfio4j receive emulated:size=1GiB tcp:192.0.2.7:4444",
                "  vfio4j receive 0000:3b:00.1 tcp:[::]:4444 --accept-timeout 1h",
                "  vfio4j receive /dev/vfio/devices/vfio2 /dev/vfio/devices/vfio3 unix:/run/vfio4j.sock --json"
            })
    static final class Receive extends IncomingCommand {
        @Parameters(
                arity = "0..*",
                paramLabel = "DEVICE... PEER",
                hideParamSyntax = true,
                description = "The destination devices, in the source's order, what state they hold is lost; and where "
                        + "to listen: tcp:HOST:PORT or unix:PATH; or fd:N,N...: sockets of this process that are "
                        + "connected to the source, one and another one for each device, in the source's order. A peer "
                        + "is not authenticated: listen only where you trust who can connect.")
        List<String> words = List.of();

        @Option(
                names = "--accept-timeout",
                paramLabel = "DURATION",
                defaultValue = "10m",
                converter = Converters.OfDuration.class,
                description = "How long to wait for the source (default: ${DEFAULT-VALUE}).")
        Duration acceptTimeout = Duration.ZERO;

        @Option(
                names = "--when-in-doubt",
                paramLabel = "keep-stopped|ask",
                defaultValue = "keep-stopped",
                converter = Converters.OfWhenInDoubt.class,
                description =
                        "When the source has let go of the device and it does not run here: end, or hold its state "
                                + "until you say that the source is resolved (default: ${DEFAULT-VALUE}).")
        WhenInDoubt whenInDoubt = WhenInDoubt.KEEP_STOPPED;

        Receive(Environment environment) {
            super(environment);
        }

        @Override
        List<String> words() {
            return words;
        }

        @Override
        TransportAddress from() {
            return Words.last(words, "PEER", new Converters.OfPeer());
        }

        @Override
        WhenInDoubt whenInDoubt() {
            return whenInDoubt;
        }

        @Override
        MigrationParameters.Builder parameters(int devices) {
            return super.parameters(devices).acceptLimit(acceptTimeout);
        }
    }

    /** From a file. */
    @Command(
            name = "load",
            description = "Loads the state of devices from a file, and runs them.",
            footer = {
                "",
                "Examples:",
                "  vfio4j load emulated:size=256MiB file:state.vfio4j",
                "  vfio4j load 0000:3b:00.1 file:/var/tmp/nic.vfio4j"
            })
    static final class Load extends IncomingCommand {
        @Parameters(
                arity = "0..*",
                paramLabel = "DEVICE... FILE",
                hideParamSyntax = true,
                description = "The destination devices, in the order in which they were saved, what state they hold is "
                        + "lost; and the file to read: file:PATH.")
        List<String> words = List.of();

        Load(Environment environment) {
            super(environment);
        }

        @Override
        List<String> words() {
            return words;
        }

        @Override
        TransportAddress from() {
            return Words.last(words, "FILE", new Converters.OfFile());
        }
    }
}
