// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.bench.Arc;
import io.vfio4j.cli.bench.ArcTimes;
import io.vfio4j.cli.bench.CopyReport;
import io.vfio4j.cli.bench.CopyReport.Moved;
import io.vfio4j.cli.bench.DirtyReport;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.cli.bench.RunReport;
import io.vfio4j.cli.bench.Timeline;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.MigrationFeatures;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.observe.Downtime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Findings that nobody has measured, to be shown. */
final class SomeFindings {
    private static final long MS = 1_000_000;
    private static final long SECOND = 1000 * MS;
    private static final long MIB = 1 << 20;
    private static final int[] CHUNKS = {64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20};
    private static final long SEED = 7;

    private SomeFindings() {}

    /** The least that there can be: nothing moves, nothing takes time, names are long and full of markup. */
    static Findings least() {
        Timeline nothing = new Timeline(0);
        CopyReport copy = new CopyReport(
                4096, new Moved(0, 0, 0), new Moved(49, 100, 0), VfioDevice.UNKNOWN_STOP_COPY_LENGTH, 0, 0, 0, nothing);
        return new Findings(
                "/sys/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/<b>&\"'/" + "long".repeat(40),
                null,
                new DeviceIdentity("<i>type</i>", "<script>alert(1)</script>"),
                new MigrationFeatures(1),
                arcs(1, MigrationState.RUNNING, MigrationState.STOP),
                List.of(copy),
                copy,
                null,
                Duration.ofMillis(300),
                List.of(RunReport.ofSource(copy)));
    }

    /** Many runs of a large device, one of them far off. */
    static Findings many(int count) {
        Random random = new Random(SEED);
        List<CopyReport> copies = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            for (int chunk : CHUNKS) {
                copies.add(new CopyReport(
                        chunk,
                        new Moved(
                                1024 * MIB, 300 * MS + random.nextLong(100 * MS), 500 * MS + random.nextLong(90 * MS)),
                        new Moved(MIB, MS, MS),
                        MIB,
                        MS,
                        MS,
                        MS,
                        timeline()));
            }
        }
        List<RunReport> runs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long drain = i == count / 3 ? 900 * MS : 8 * MS + random.nextLong(20 * MS);
            runs.add(new RunReport(
                    1100 * MIB,
                    9 * MIB,
                    3,
                    900 * MIB,
                    20 * MS + random.nextLong(9 * MS),
                    new Downtime(MS / 20, MS / 2, 2 * MS, drain, 3 * MS, MS + random.nextLong(MS)),
                    timeline()));
        }
        List<DirtyReport.Sample> samples = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            samples.add(new DirtyReport.Sample(10L * i * MS, i * MIB + random.nextLong(MIB)));
        }
        return new Findings(
                "0000:3b:00.1",
                "0000:3b:00.2",
                new DeviceIdentity("pci:15b3:101e", "mlx5_vfio_pci"),
                new MigrationFeatures(7),
                arcs(
                        count,
                        MigrationState.RUNNING,
                        MigrationState.PRE_COPY,
                        MigrationState.PRE_COPY_P2P,
                        MigrationState.PRE_COPY,
                        MigrationState.RUNNING,
                        MigrationState.RUNNING_P2P,
                        MigrationState.PRE_COPY_P2P,
                        MigrationState.RUNNING_P2P,
                        MigrationState.STOP,
                        MigrationState.STOP_COPY,
                        MigrationState.STOP,
                        MigrationState.RESUMING,
                        MigrationState.STOP,
                        MigrationState.RUNNING_P2P,
                        MigrationState.RUNNING),
                copies,
                copies.getFirst(),
                new DirtyReport(samples, 100 * MIB, SECOND, true),
                Duration.ofMillis(300),
                runs);
    }

    private static ArcTimes arcs(int count, MigrationState... way) {
        Random random = new Random(SEED);
        ArcTimes times = new ArcTimes();
        for (int i = 1; i < way.length; i++) {
            for (int lap = 0; lap < count; lap++) {
                times.record(new Arc(way[i - 1], way[i]), 2_000L * i + random.nextLong(MS << (i % 5)));
            }
        }
        return times;
    }

    /** Two seconds of pre-copy that slows down, and twenty milliseconds without the device. */
    private static Timeline timeline() {
        Timeline timeline = new Timeline(0);
        timeline.phase("setup", 0);
        timeline.phase("pre-copy", 100 * MS);
        long bytes = 0;
        for (long at = 100; at < 2_000; at += 5) {
            bytes += 5 * MIB - at * 1_000;
            timeline.sample(at * MS, bytes);
        }
        timeline.phase("stop-copy", 2_000 * MS);
        timeline.phase("handover", 2_015 * MS);
        timeline.end(2_020 * MS, bytes + 9 * MIB);
        return timeline;
    }
}
