// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.bench.ArcLaps;
import io.vfio4j.cli.bench.ArcTimes;
import io.vfio4j.cli.bench.CopyReport;
import io.vfio4j.cli.bench.DirtyRate;
import io.vfio4j.cli.bench.DirtyReport;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.cli.bench.RunReport;
import io.vfio4j.cli.bench.StateCopy;
import io.vfio4j.cli.bench.Time;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationParameters;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Makes all measurements of a device, one after the other. It ends in RUNNING with the state that it began with. */
final class DeviceBench {
    private static final int RUN_CHUNK = MigrationParameters.DEFAULT.chunkBytes();

    /** How often the state is copied with each chunk size, in turns, so that what disturbs them disturbs all. */
    static final int COPIES = 3;

    /**
     * What to measure.
     *
     * @param runs how many runs, and laps along the arcs
     * @param chunkSizes which sizes to copy the state with, in bytes
     * @param parameters what the runs have to keep to
     */
    record Plan(int runs, List<Integer> chunkSizes, MigrationParameters parameters) {}

    private final Devices.Opened device;
    private final Devices.@Nullable Opened peer;
    private final Plan plan;
    private final Overseer overseer;
    private final Cancellation cancellation;
    private final ProgressPrinter progress;

    private final ArcTimes arcs = new ArcTimes();
    private final List<CopyReport> copies = new ArrayList<>();
    private final List<RunReport> runs = new ArrayList<>();
    private @Nullable CopyReport whole;
    private @Nullable DirtyReport dirty;

    /** Prepares measurements of an open device in RUNNING; the peer, too, if there is one, and its state is lost. */
    DeviceBench(
            Devices.Opened device,
            Devices.@Nullable Opened peer,
            Plan plan,
            Overseer overseer,
            Cancellation cancellation,
            ProgressPrinter progress) {
        this.device = device;
        this.peer = peer;
        this.plan = plan;
        this.overseer = overseer;
        this.cancellation = cancellation;
        this.progress = progress;
    }

    /**
     * Measures.
     *
     * @throws IOException when something fails
     */
    Findings measure(LibC libc) throws IOException {
        overseer.run(this::measureByCalls);
        if (peer != null) {
            progress.part("downtime");
            runs.addAll(
                    new DowntimeRuns(libc, device, peer, plan.parameters(), cancellation, progress).run(plan.runs()));
        }
        CopyReport stopped = whole;
        if (stopped == null) {
            throw new IllegalStateException("the measurement has ended well without its parts");
        }
        return new Findings(
                device.name(),
                peer == null ? null : peer.name(),
                device.vfio().identity(),
                device.vfio().features(),
                arcs,
                copies,
                stopped,
                dirty,
                plan.parameters().limits().downtimeLimit(),
                runs);
    }

    private void measureByCalls() throws IOException {
        VfioDevice vfio = device.vfio();
        long maxPreCopyNanos = plan.parameters().limits().maxPreCopy().toNanos();
        timeArcs(vfio);
        copyWithEachChunkSize(vfio, maxPreCopyNanos);
        if (vfio.features().preCopy()) {
            progress.part("dirty rate");
            dirty = new DirtyRate(vfio, maxPreCopyNanos, Time.SYSTEM, overseer).measure();
        }
        if (peer == null) {
            progress.part("the source's part of the downtime");
            StateCopy source = new StateCopy(vfio, null, maxPreCopyNanos, arcs, Time.SYSTEM, overseer);
            for (int i = 1; i <= plan.runs(); i++) {
                progress.step("run " + i + " of " + plan.runs());
                runs.add(RunReport.ofSource(source.copy(RUN_CHUNK, true)));
            }
        }
    }

    private void timeArcs(VfioDevice vfio) throws IOException {
        progress.part("arcs");
        ArcLaps laps = new ArcLaps(vfio, overseer);
        // The first time through finds the code cold.
        laps.lap(new ArcTimes());
        for (int i = 1; i <= plan.runs(); i++) {
            progress.step("lap " + i + " of " + plan.runs());
            laps.lap(arcs);
        }
    }

    private void copyWithEachChunkSize(VfioDevice vfio, long maxPreCopyNanos) throws IOException {
        progress.part("rate by chunk size");
        StateCopy copy =
                new StateCopy(vfio, peer == null ? null : peer.vfio(), maxPreCopyNanos, arcs, Time.SYSTEM, overseer);
        progress.step("without pre-copy");
        whole = copy.copy(RUN_CHUNK, false);
        for (int i = 1; i <= COPIES; i++) {
            for (int chunk : plan.chunkSizes()) {
                progress.step(Format.bytes(chunk) + ", copy " + i + " of " + COPIES);
                copies.add(copy.copy(chunk, true));
            }
        }
    }
}
