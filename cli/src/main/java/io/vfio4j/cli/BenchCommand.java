// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.OutgoingOptions.BadValue;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.device.MigrationState;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Measures a device. */
@Command(
        name = "bench",
        description = "Measures a device: how long its arcs take, how fast its state moves with which chunk size, how "
                + "fast it changes, whether its stop-copy size is true, and how long the downtime is, run by run.",
        footer = {
            "",
            "The device keeps its state and ends in RUNNING; it is stopped now and then. With a peer its",
            "state moves there and back, and what the peer held is lost. Without one, each run is the",
            "source's part alone: the state is read and dropped.",
            "",
            "Examples:",
            "  vfio4j bench emulated:size=1GiB,dirty=100MiB/s --out report",
            "  vfio4j bench /dev/vfio/devices/vfio0 --peer /dev/vfio/devices/vfio1 --runs 100 --out report",
            "  vfio4j bench 0000:3b:00.1 --chunk-sizes 256KiB,1MiB,4MiB",
            "  vfio4j bench 0000:3b:00.1 --peer 0000:3b:00.2 --max-downtime 150ms --min-throughput 1GiB/s --json"
        })
final class BenchCommand extends ReportingCommand {
    private static final String DEFAULT_DEVICE = "emulated:size=64MiB,dirty=20MiB/s";

    @Parameters(
            arity = "0..1",
            paramLabel = "DEVICE",
            defaultValue = DEFAULT_DEVICE,
            converter = Converters.OfDevice.class,
            description = "The device to measure (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init") // picocli gives it its default
    DeviceName device;

    @Option(
            names = "--peer",
            paramLabel = "DEVICE",
            converter = Converters.OfDevice.class,
            description = "A second device of the same type, of this host, to migrate to and back; what it holds is "
                    + "lost (default: for an emulated device one like it, else none).")
    @Nullable
    DeviceName peer;

    @Option(
            names = "--runs",
            paramLabel = "N",
            defaultValue = "20",
            converter = Converters.OfRuns.class,
            description = "How often to migrate, and to go along the arcs: 1 to 1000 (default: ${DEFAULT-VALUE}).")
    int runs;

    @Option(
            names = "--chunk-sizes",
            paramLabel = "SIZE",
            split = ",",
            defaultValue = "64KiB,256KiB,1MiB,4MiB,16MiB",
            converter = Converters.OfSize.class,
            description = "Which chunk sizes to copy the state with, with commas between (default: "
                    + "${DEFAULT-VALUE}). The runs take 1MiB.")
    List<Long> chunkSizes = List.of();

    @Option(
            names = "--downtime-limit",
            paramLabel = "DURATION",
            defaultValue = "300ms",
            converter = Converters.OfDuration.class,
            description = "How long the device may be stopped; pre-copy goes on until the prediction fits "
                    + "(default: ${DEFAULT-VALUE}).")
    Duration downtimeLimit = Duration.ZERO;

    @Option(
            names = "--max-time",
            paramLabel = "DURATION",
            defaultValue = "1m",
            converter = Converters.OfDuration.class,
            description = "Time of pre-copy after which a run stops the device anyhow (default: ${DEFAULT-VALUE}).")
    Duration maxTime = Duration.ZERO;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Write report.html, arcs.hlog and downtime.hlog to this folder, which must not be there or "
                    + "be empty.")
    @Nullable
    Path out;

    @Option(
            names = "--max-downtime",
            paramLabel = "DURATION",
            converter = Converters.OfDuration.class,
            description = "End with 13 when the longest downtime is longer.")
    @Nullable
    Duration maxDowntime;

    @Option(
            names = "--min-throughput",
            paramLabel = "RATE",
            converter = Converters.OfRate.class,
            description = "End with 13 when state moves slower with the fastest chunk size, such as 1GiB/s.")
    @Nullable
    Long minThroughput;

    BenchCommand(Environment environment) {
        super(environment);
    }

    @Override
    void run(Result result, ProgressPrinter progress) throws IOException {
        DeviceName with = peer();
        chunkSizes.forEach(size -> OutgoingOptions.requireChunk("--chunk-sizes", size));
        DeviceBench.Plan plan = new DeviceBench.Plan(
                runs,
                chunkSizes.stream().distinct().map(Long::intValue).toList(),
                MigrationParameters.builder()
                        .downtimeLimit(downtimeLimit)
                        .maxPreCopy(maxTime)
                        .whenNotConverging(NotConverging.SWITCH_OVER)
                        .acceptLimit(LocalDestination.LISTEN_LIMIT)
                        .build());
        result.field("device", device.toString());
        result.field("peer", with == null ? null : with.toString());
        // From here on Ctrl-C leaves nothing behind.
        Overseer overseer = new Overseer(plan.parameters().handlerLimit());
        environment.cancellation().begin(overseer::cancel, () -> false, Duration.ZERO);
        ReportFolder folder = out == null ? null : ReportFolder.prepare(out);
        try {
            Instant begin = Instant.now();
            Findings findings = measure(with, plan, overseer, result, progress);
            BenchSummary.tell(findings, result);
            if (folder != null) {
                folder.write(findings, begin, Instant.now());
                result.field("out", String.valueOf(out));
            }
            requireGood(findings);
        } finally {
            if (folder != null) {
                folder.removeIfUnused();
            }
        }
    }

    private @Nullable DeviceName peer() {
        DeviceName said = peer;
        if (said instanceof DeviceName.Real && said.equals(device)) {
            throw new BadValue("--peer", said.toString(), "another device than the one that is measured");
        }
        return said == null && device instanceof DeviceName.Emulated ? device : said;
    }

    private Findings measure(
            @Nullable DeviceName with,
            DeviceBench.Plan plan,
            Overseer overseer,
            Result result,
            ProgressPrinter progress)
            throws IOException {
        environment.rehearsal().run();
        try (Devices devices = environment.devices().get();
                Devices.Opened opened = devices.open(device);
                Devices.Opened other = with == null ? null : devices.open(with)) {
            requireRunning(opened);
            if (other != null) {
                requireRunning(other);
                requireFit(opened, other);
            }
            DeviceBench bench = new DeviceBench(opened, other, plan, overseer, environment.cancellation(), progress);
            try {
                return bench.measure(devices.libc());
            } finally {
                if (!overseer.isStuck()) {
                    tellState(result, opened, "device");
                    if (other != null) {
                        tellState(result, other, "peer");
                    }
                }
            }
        }
    }

    private static void requireRunning(Devices.Opened opened) throws IOException {
        MigrationState state = opened.vfio().state();
        if (state != MigrationState.RUNNING) {
            throw new IOException(opened.name() + ": a measurement begins in RUNNING, and it is in " + state);
        }
        if (!opened.vfio().features().stopCopy()) {
            throw new IOException(opened.name() + ": it can neither save nor load its state");
        }
    }

    private static void requireFit(Devices.Opened opened, Devices.Opened other) {
        String misfit = new VfioDeviceHandler("device0", other.vfio())
                .misfit(new VfioDeviceHandler("device0", opened.vfio()).description());
        if (misfit != null) {
            throw new BadValue("--peer", misfit, "a device of the same type, driver and firmware");
        }
    }

    private static void tellState(Result result, Devices.Opened opened, String which) {
        String state = opened.state();
        result.field(which + "State", state);
        result.detail("the " + which + " is in state " + state);
    }

    private void requireGood(Findings findings) throws MissedException {
        Duration longest = maxDowntime;
        if (longest != null && findings.longestDowntime() > longest.toNanos()) {
            throw new MissedException("the longest downtime, " + Format.time(findings.longestDowntime())
                    + ", is longer than --max-downtime " + Format.time(longest.toNanos()));
        }
        Long least = minThroughput;
        if (least != null && findings.throughput() < least) {
            throw new MissedException(
                    findings.throughput() == 0
                            ? "the state is too small to measure how fast it moves, so --min-throughput is missed"
                            : "state moves at " + Format.rate(findings.throughput())
                                    + " with the fastest chunk size, slower than --min-throughput "
                                    + Format.rate(least));
        }
    }
}
