// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.Phase;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The words for one moment of a migration. */
final class ProgressLine {
    private ProgressLine() {}

    static String name(Phase phase) {
        return phase.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * Puts a moment into one line.
     *
     * @param phase where the migration is
     * @param progress what it told last, in this phase; null before
     * @param bytesPerSecond the rate to show; 0 or less for none
     */
    static String of(Phase phase, @Nullable MigrationProgress progress, long bytesPerSecond) {
        StringBuilder line = new StringBuilder(name(phase));
        if (progress == null) {
            return line.toString();
        }
        if (phase == Phase.PRE_COPY && progress.round() > 0) {
            line.append(" round ").append(progress.round());
        }
        line.append(": ").append(Format.bytes(progress.bytes()));
        if (bytesPerSecond > 0) {
            line.append(", ").append(Format.rate(bytesPerSecond));
        }
        if (progress.remainingBytes() >= 0) {
            line.append(", ").append(Format.bytes(progress.remainingBytes())).append(" left");
        }
        if (phase == Phase.PRE_COPY && progress.predictedDowntimeNanos() >= 0) {
            line.append(", downtime now ").append(Format.roughTime(progress.predictedDowntimeNanos()));
        }
        return line.toString();
    }

    /** Cuts a line to what a terminal shows without wrapping: the last column stays free, or some would wrap. */
    static String cut(String line, int columns) {
        int room = Math.max(0, columns - 1);
        return line.length() <= room ? line : line.substring(0, room);
    }
}
