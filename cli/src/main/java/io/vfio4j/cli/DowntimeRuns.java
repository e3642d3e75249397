// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.MigrateCommand.Loopback;
import io.vfio4j.cli.bench.RunReport;
import io.vfio4j.cli.bench.Timeline;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Migrates a device to its peer and back, again and again, so that its state survives and ends where it began.
 * Whichever has given it away is reset, and so is in RUNNING for the next run.
 */
final class DowntimeRuns {
    /** How long the state may take to come back after a run has failed. */
    private static final Duration WAY_BACK_LIMIT = Duration.ofMinutes(10);

    private final LibC libc;
    private final Devices.Opened device;
    private final Devices.Opened peer;
    private final MigrationParameters parameters;
    private final Cancellation cancellation;
    private final ProgressPrinter progress;
    private boolean away;

    DowntimeRuns(
            LibC libc,
            Devices.Opened device,
            Devices.Opened peer,
            MigrationParameters parameters,
            Cancellation cancellation,
            ProgressPrinter progress) {
        this.libc = libc;
        this.device = device;
        this.peer = peer;
        this.parameters = parameters;
        this.cancellation = cancellation;
        this.progress = progress;
    }

    /**
     * Makes runs, and after an odd number of them one more that does not count.
     *
     * @throws IOException when one fails; the state has been brought back if that was possible
     */
    List<RunReport> run(int runs) throws IOException {
        List<RunReport> reports = new ArrayList<>();
        try {
            for (int i = 1; i <= runs; i++) {
                reports.add(cancellableRun("run " + i + " of " + runs));
            }
            if (away) {
                cancellableRun("the way back");
            }
        } catch (IOException | RuntimeException | Error e) {
            bringBackAfter(e);
            throw e;
        }
        return reports;
    }

    private void bringBackAfter(Throwable failure) {
        if (away) {
            cancellation.allow(WAY_BACK_LIMIT);
            try {
                Watcher watcher = new Watcher("the way back");
                migrate(migration(watcher), watcher);
            } catch (IOException e) {
                failure.addSuppressed(e);
            }
        }
        if (away) {
            failure.addSuppressed(new IOException("the state of " + device.name() + " is in the peer, " + peer.name()
                    + ", and could not be brought back; it is lost when this process ends"));
        }
    }

    private RunReport cancellableRun(String name) throws IOException {
        Watcher watcher = new Watcher(name);
        LocalMigration migration = migration(watcher);
        cancellation.begin(
                migration.source()::cancel,
                () -> watcher.phase == Phase.HANDOVER,
                parameters.peerLimit().multipliedBy(2));
        return migrate(migration, watcher);
    }

    private LocalMigration migration(Watcher watcher) {
        return new LocalMigration(
                libc,
                VfioDeviceHandler.inOrder((away ? peer : device).vfio()),
                VfioDeviceHandler.inOrder((away ? device : peer).vfio()),
                parameters,
                watcher);
    }

    private RunReport migrate(LocalMigration migration, Watcher watcher) throws IOException {
        Devices.Opened source = away ? peer : device;
        Sampler sampler = Sampler.start(migration.source(), () -> watcher.timeline);
        try (Meeting meeting = Meeting.of(Loopback.UNIX)) {
            migration.run(meeting.address());
        } finally {
            sampler.close();
            if (migration.loaded() != null) {
                away = !away;
            }
        }
        MigrationReport report = migration.report();
        Timeline timeline = watcher.timeline;
        if (report == null || timeline == null) {
            throw new IllegalStateException("a migration has ended well without a report or phases");
        }
        timeline.end(watcher.completed, report.totalBytes());
        source.vfio().reset();
        return new RunReport(
                report.preCopyBytes(),
                report.stopCopyBytes(),
                report.rounds(),
                report.preCopyBytesPerSecond(),
                report.predictedDowntimeNanos(),
                report.downtime(),
                timeline);
    }

    /** Takes down when the phases of one run begin, from the first one on in which state moves. */
    private final class Watcher implements MigrationListener {
        private final String name;
        private volatile @Nullable Timeline timeline;
        private volatile @Nullable Phase phase;
        private volatile long completed;

        Watcher(String name) {
            this.name = name;
            progress.step(name);
        }

        @Override
        public void onPhase(Phase begun) {
            long now = System.nanoTime();
            phase = begun;
            if (begun == Phase.COMPLETED) {
                completed = now;
            } else if (begun != Phase.SETUP) {
                Timeline begins = timeline == null ? new Timeline(now) : timeline;
                begins.phase(ProgressLine.name(begun), now);
                timeline = begins;
            }
        }

        @Override
        public void onProgress(MigrationProgress told) {
            progress.step(name + ", " + ProgressLine.of(told.phase(), told, told.bytesPerSecond()));
        }

        @Override
        public void onNotice(String text) {
            progress.onNotice(text);
        }
    }
}
