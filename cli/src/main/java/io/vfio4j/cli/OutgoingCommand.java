// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.observe.Phase;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The source's side alone: send and save. */
abstract class OutgoingCommand extends ReportingCommand {

    @Mixin
    OutgoingOptions outgoing = new OutgoingOptions();

    @Mixin
    CommonOptions common = new CommonOptions();

    OutgoingCommand(Environment environment) {
        super(environment);
    }

    abstract List<String> words();

    abstract TransportAddress to();

    WhenInDoubt whenInDoubt() {
        return WhenInDoubt.KEEP_STOPPED;
    }

    @Override
    void run(Result result, ProgressPrinter progress) throws IOException {
        TransportAddress to = to();
        List<DeviceName> names = Words.devicesBeforeLast(words());
        MigrationParameters parameters = outgoing.fill(
                        common.fill(MigrationParameters.builder()), common.memoryFor(names.size()))
                .build();
        if (outgoing.control && whenInDoubt() == WhenInDoubt.ASK) {
            throw new OutgoingOptions.BadValue("--control and --when-in-doubt ask both read standard input; use one");
        }
        result.devices("device", names);
        result.field("to", to.toString());
        environment.rehearsal().run();
        try (Devices devices = environment.devices().get();
                DeviceSet sources = DeviceSet.open(devices, names)) {
            OutgoingMigration migration = new OutgoingMigration(
                    devices.libc(),
                    sources.handlers(),
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
            outgoing.startControl(migration, environment.console(), progress);
            try {
                result.report(migration.run(to), migration.limits());
                sources.tellDigests(result);
            } catch (MigrationException e) {
                if (e.reason() == Reason.IN_DOUBT && whenInDoubt() == WhenInDoubt.ASK) {
                    progress.close();
                    resolve(migration, e);
                }
                throw e;
            } finally {
                sources.tellStates(result, "source");
            }
        }
    }

    private void resolve(OutgoingMigration migration, MigrationException doubt) throws IOException {
        environment.console().err().println("in doubt: " + Failure.message(doubt));
        String answer = environment
                .console()
                .ask("Does it run at the destination? [yes: keep it stopped here / no: resume it here]", "yes", "no");
        migration.resolve("no".equals(answer) ? Resolution.RESUME_SOURCE : Resolution.KEEP_STOPPED);
    }

    /** To another process. */
    @Command(
            name = "send",
            description = "Migrates devices to a peer that receives, with one switchover.",
            footer = {
                "",
                "An emulated device lives as long as this process; its digest is printed at the end, so that",
                "it can be compared with the destination's.",
                "",
                "Examples:",
                "  vfio4j send emulated:size=1GiB,dirty=100MiB/s tcp:192.0.2.7:4444",
                "  vfio4j send 0000:3b:00.1 tcp:host.example:4444 --downtime-limit 100ms --max-bandwidth 1GiB/s",
                "  vfio4j send /dev/vfio/devices/vfio0 /dev/vfio/devices/vfio1 unix:/run/vfio4j.sock --json"
            })
    static final class Send extends OutgoingCommand {
        @Parameters(
                arity = "0..*",
                paramLabel = "DEVICE... PEER",
                hideParamSyntax = true,
                description =
                        "The source devices, and where the peer receives: tcp:HOST:PORT or unix:PATH; or fd:N,N...: "
                                + "sockets of this process that are connected to it, one and another one for each device. It "
                                + "names its devices, and such sockets, in the same order.")
        List<String> words = List.of();

        @Option(
                names = "--when-in-doubt",
                paramLabel = "keep-stopped|ask",
                defaultValue = "keep-stopped",
                converter = Converters.OfWhenInDoubt.class,
                description = "When the connection is lost in the handover: end, with the device stopped here, or "
                        + "hold it and ask who runs it (default: ${DEFAULT-VALUE}). A device that is in no "
                        + "virtual machine loses its state when this process ends.")
        WhenInDoubt whenInDoubt = WhenInDoubt.KEEP_STOPPED;

        @Option(
                names = "--zero-copy",
                description =
                        "Send over TCP without the kernel's copy (MSG_ZEROCOPY): it pays on a fast link. To a peer "
                                + "on this host the kernel copies all the same.")
        boolean zeroCopy;

        Send(Environment environment) {
            super(environment);
        }

        @Override
        List<String> words() {
            return words;
        }

        @Override
        TransportAddress to() {
            TransportAddress.Peer peer = Words.last(words, "PEER", new Converters.OfPeer());
            if (peer instanceof TransportAddress.Tcp tcp && tcp.port() == 0) {
                throw new OutgoingOptions.BadValue("PEER", "'" + peer + "' has port 0", "the port that it listens on");
            }
            if (!zeroCopy) {
                return peer;
            }
            if (peer instanceof TransportAddress.Tcp tcp) {
                return new TransportAddress.Tcp(tcp.host(), tcp.port(), true);
            }
            throw new OutgoingOptions.BadValue("--zero-copy", "'" + peer + "' is not reached by TCP", "tcp:HOST:PORT");
        }

        @Override
        WhenInDoubt whenInDoubt() {
            return whenInDoubt;
        }
    }

    /** To a file. */
    @Command(
            name = "save",
            description = "Saves the state of devices to a file, and leaves them stopped.",
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
                arity = "0..*",
                paramLabel = "DEVICE... FILE",
                hideParamSyntax = true,
                description = "The source devices, and the file to make: file:PATH. It must not exist.")
        List<String> words = List.of();

        @Option(
                names = "--direct",
                description = "Write past the page cache (O_DIRECT): slower where the cache would hold it all, but it "
                        + "leaves the host's memory to others.")
        boolean direct;

        Save(Environment environment) {
            super(environment);
        }

        @Override
        List<String> words() {
            return words;
        }

        @Override
        TransportAddress to() {
            TransportAddress.File file = Words.last(words, "FILE", new Converters.OfFile());
            return new TransportAddress.File(file.path(), direct);
        }
    }
}
