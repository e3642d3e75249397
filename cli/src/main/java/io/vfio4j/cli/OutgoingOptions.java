// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the source of a migration can be told. */
final class OutgoingOptions {
    private static final int CHUNK_UNIT = 4096;
    private static final int MIN_CHUNKS = 2;

    @Option(
            names = "--downtime-limit",
            paramLabel = "DURATION",
            defaultValue = "300ms",
            converter = Converters.OfDuration.class,
            description = "How long the device may be stopped; pre-copy goes on until the prediction fits "
                    + "(default: ${DEFAULT-VALUE}).")
    Duration downtimeLimit = Duration.ZERO;

    @Option(
            names = "--max-rounds",
            paramLabel = "N",
            defaultValue = "0",
            converter = Converters.OfRounds.class,
            description = "Rounds of pre-copy after which not to wait for that any longer (default: 0, no limit).")
    int maxRounds;

    @Option(
            names = "--max-time",
            paramLabel = "DURATION",
            defaultValue = "30m",
            converter = Converters.OfDuration.class,
            description = "Time of pre-copy after which not to wait for that any longer (default: ${DEFAULT-VALUE}).")
    Duration maxTime = Duration.ZERO;

    @Option(
            names = "--on-no-convergence",
            paramLabel = "keep-going|switch-over|give-up",
            converter = Converters.OfNotConverging.class,
            defaultValue = "give-up",
            description = "What to do then (default: ${DEFAULT-VALUE}).")
    NotConverging onNoConvergence = NotConverging.GIVE_UP;

    @Option(
            names = "--max-precopy-bytes",
            paramLabel = "SIZE",
            converter = Converters.OfSize.class,
            description = "Bytes of pre-copy after which not to wait for that any longer (default: no limit).")
    @Nullable
    Long maxPreCopyBytes;

    @Option(
            names = "--pause-before-switchover",
            description = "Go on with pre-copy until 'proceed' comes; needs --control.")
    boolean pauseBeforeSwitchover;

    @Option(
            names = "--allow-devices-without-p2p",
            description = "Migrate several devices although one of them cannot be kept from peer-to-peer DMA.")
    boolean allowDevicesWithoutP2p;

    @Option(
            names = "--no-switchover-ack",
            description = "Do not wait until the destination's devices are ready for the switchover.")
    boolean noSwitchoverAck;

    @Option(
            names = "--control",
            description = "Take commands from standard input, a line each: " + Control.COMMANDS + ".")
    boolean control;

    @Option(
            names = "--max-bandwidth",
            paramLabel = "RATE",
            converter = Converters.OfRate.class,
            description = "How fast pre-copy may be, such as 1GiB/s (default: no limit). Off in the downtime.")
    @Nullable
    Long maxBandwidth;

    @Option(
            names = "--chunk-size",
            paramLabel = "SIZE",
            defaultValue = "1MiB",
            converter = Converters.OfSize.class,
            description = "How much is read and sent at once (default: ${DEFAULT-VALUE}).")
    long chunkSize;

    /** Begins to listen to standard input, if that was asked for. */
    void startControl(OutgoingMigration migration, Console console, ProgressPrinter progress) {
        if (control) {
            new Control(migration, progress::onNotice, pauseBeforeSwitchover).start(console.in());
        }
    }

    MigrationParameters.Builder fill(MigrationParameters.Builder builder, long memory) {
        requireChunk("--chunk-size", chunkSize);
        long chunks = memory / chunkSize;
        if (chunks < MIN_CHUNKS || chunks > MigrationParameters.MAX_CHUNKS) {
            throw new BadValue(
                    "--memory",
                    memory + " bytes",
                    MIN_CHUNKS + " to " + MigrationParameters.MAX_CHUNKS + " times --chunk-size: from "
                            + MIN_CHUNKS * chunkSize + " to " + MigrationParameters.MAX_CHUNKS * chunkSize
                            + " bytes");
        }
        if (pauseBeforeSwitchover && !control) {
            throw new BadValue("--pause-before-switchover needs --control: else nobody can say 'proceed'");
        }
        Long rate = maxBandwidth;
        Long bytes = maxPreCopyBytes;
        return builder.chunkBytes((int) chunkSize)
                .chunks((int) chunks)
                .downtimeLimit(downtimeLimit)
                .maxRounds(maxRounds)
                .maxPreCopy(maxTime)
                .maxPreCopyBytes(bytes == null ? 0 : bytes)
                .whenNotConverging(onNoConvergence)
                .pauseBeforeSwitchover(pauseBeforeSwitchover)
                .allowDevicesWithoutP2p(allowDevicesWithoutP2p)
                .switchoverAck(!noSwitchoverAck)
                .maxBytesPerSecond(rate == null ? 0 : rate);
    }

    /** Refuses a size that no chunk can have. */
    static void requireChunk(String option, long bytes) {
        if (bytes < CHUNK_UNIT || bytes > BufferPool.MAX_CAPACITY || bytes % CHUNK_UNIT != 0) {
            throw new BadValue(option, bytes + " bytes", "a multiple of 4KiB, from 4KiB to 64MiB");
        }
    }

    /** The parameters of a side that only receives: its memory takes whatever chunks the source sends. */
    static MigrationParameters.Builder fillReceiving(MigrationParameters.Builder builder, long memory) {
        long chunks = MigrationParameters.DEFAULT.chunks();
        long unit = chunks * CHUNK_UNIT;
        if (memory < unit || memory > chunks * BufferPool.MAX_CAPACITY || memory % unit != 0) {
            throw new BadValue("--memory", memory + " bytes", "a multiple of 32KiB, from 32KiB to 512MiB");
        }
        return builder.chunks((int) chunks).chunkBytes((int) (memory / chunks));
    }

    /** Says that what was said is well-formed and cannot be. */
    static final class BadValue extends RuntimeException {
        private static final long serialVersionUID = 1L;

        BadValue(String option, String value, String allowed) {
            this("Invalid value for option '" + option + "': " + value + "; use " + allowed);
        }

        BadValue(String message) {
            super(message);
        }
    }
}
