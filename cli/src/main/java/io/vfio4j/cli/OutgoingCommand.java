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
import io.vfio4j.observe.Phase;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The source's side alone: send and save. */
abstract class OutgoingCommand extends ReportingCommand {

    @Parameters(
            index = "0",
            paramLabel = "DEVICE",
            converter = Converters.OfDevice.class,
            description = "The source device.")
    @SuppressWarnings("NullAway.Init") // picocli fills it
    DeviceName deviceName;

    @Mixin
    OutgoingOptions outgoing = new OutgoingOptions();

    @Mixin
    CommonOptions common = new CommonOptions();

    OutgoingCommand(Environment environment) {
        super(environment);
    }

    abstract TransportAddress to();

    WhenInDoubt whenInDoubt() {
        return WhenInDoubt.KEEP_STOPPED;
    }

    @Override
    void run(Result result, ProgressPrinter progress) throws IOException {
        MigrationParameters parameters = outgoing.fill(common.fill(MigrationParameters.builder()), common.memory)
                .build();
        result.field("device", deviceName.toString());
        result.field("to", to().toString());
        environment.rehearsal().run();
        try (Devices devices = environment.devices().get();
                Devices.Opened device = devices.open(deviceName)) {
            OutgoingMigration migration = new OutgoingMigration(
                    devices.libc(),
                    VfioDeviceHandler.inOrder(device.vfio()),
                    VirtualMachine.NONE,
                    parameters,
                    SwitchoverPolicy.STANDARD,
                    progress);
            environment
                    .cancellation()
                    .begin(
                            migration::cancel,
                            () -> progress.phase() == Phase.HANDOVER,
                            parameters.peerLimit().multipliedBy(2));
            try {
                result.report(migration.run(to()), parameters);
                digest(result, device);
            } catch (MigrationException e) {
                if (e.reason() == Reason.IN_DOUBT && whenInDoubt() == WhenInDoubt.ASK) {
                    progress.close();
                    resolve(migration, e);
                }
                throw e;
            } finally {
                String state = device.state();
                result.field("sourceState", state);
                result.detail("the source device is in state " + state);
            }
        }
    }

    private static void digest(Result result, Devices.Opened device) {
        String digest = device.digest();
        result.field("digest", digest);
        if (digest != null) {
            result.line("");
            result.line("digest       " + digest);
        }
    }

    private void resolve(OutgoingMigration migration, MigrationException doubt) throws IOException {
        environment.console().err().println("in doubt: " + Failure.message(doubt));
        String answer = environment
                .console()
                .ask(
                        "Does the device run at the destination? [yes: keep it stopped here / no: resume it here]",
                        "yes",
                        "no");
        migration.resolve("no".equals(answer) ? Resolution.RESUME_SOURCE : Resolution.KEEP_STOPPED);
    }

    /** To another process. */
    @Command(
            name = "send",
            description = "Migrates a device to a peer that receives.",
            footer = {
                "",
                "An emulated device lives as long as this process; its digest is printed at the end, so that",
                "it can be compared with the destination's.",
                "",
                "Examples:",
                "  vfio4j send emulated:size=1GiB,dirty=100MiB/s tcp:192.0.2.7:4444",
                "  vfio4j send 0000:3b:00.1 tcp:host.example:4444 --downtime-limit 100ms --max-bandwidth 1GiB/s",
                "  vfio4j send /dev/vfio/devices/vfio0 unix:/run/vfio4j.sock --json"
            })
    static final class Send extends OutgoingCommand {
        @Parameters(
                index = "1",
                paramLabel = "PEER",
                converter = Converters.OfPeer.class,
                description = "Where it receives: tcp:HOST:PORT or unix:PATH.")
        @SuppressWarnings("NullAway.Init") // picocli fills it
        TransportAddress.Peer peer;

        @Option(
                names = "--when-in-doubt",
                paramLabel = "keep-stopped|ask",
                defaultValue = "keep-stopped",
                converter = Converters.OfWhenInDoubt.class,
                description = "When the connection is lost in the handover: end, with the device stopped here, or "
                        + "hold it and ask who runs it (default: ${DEFAULT-VALUE}). A device that is in no "
                        + "virtual machine loses its state when this process ends.")
        WhenInDoubt whenInDoubt = WhenInDoubt.KEEP_STOPPED;

        Send(Environment environment) {
            super(environment);
        }

        @Override
        TransportAddress to() {
            if (peer instanceof TransportAddress.Tcp tcp && tcp.port() == 0) {
                throw new OutgoingOptions.BadValue("PEER", "'" + peer + "' has port 0", "the port that it listens on");
            }
            return peer;
        }

        @Override
        WhenInDoubt whenInDoubt() {
            return whenInDoubt;
        }
    }

    /** To a file. */
    @Command(
            name = "save",
            description = "Saves a device's state to a file, and leaves the device stopped.",
            footer = {
                "",
                "The file has its name only when it is whole and on disk; until then it is PATH.*.partial.",
                "",
                "Examples:",
                "  vfio4j save emulated:size=256MiB file:state.vfio4j",
                "  vfio4j save 0000:3b:00.1 file:/var/tmp/nic.vfio4j --max-bandwidth 500MiB/s"
            })
    static final class Save extends OutgoingCommand {
        @Parameters(
                index = "1",
                paramLabel = "FILE",
                converter = Converters.OfFile.class,
                description = "The file to make: file:PATH. It must not exist.")
        @SuppressWarnings("NullAway.Init") // picocli fills it
        TransportAddress.File file;

        Save(Environment environment) {
            super(environment);
        }

        @Override
        TransportAddress to() {
            return file;
        }
    }
}
