// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What either side of a migration can be told. */
final class CommonOptions {
    private static final long MEMORY_EACH = 8 << 20;

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            converter = Converters.OfSize.class,
            description = "Memory for state on its way, per side, shared by its devices (default: 8MiB for each).")
    @Nullable
    Long memory;

    @Option(
            names = "--huge-pages",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Ask the kernel for transparent huge pages for it, or not (default: ${DEFAULT-VALUE}).")
    boolean hugePages;

    @Option(
            names = "--peer-timeout",
            paramLabel = "DURATION",
            defaultValue = "30s",
            converter = Converters.OfDuration.class,
            description = "How long the other side may be silent (default: ${DEFAULT-VALUE}).")
    Duration peerTimeout = Duration.ZERO;

    @Option(
            names = "--device-timeout",
            paramLabel = "DURATION",
            defaultValue = "25s",
            converter = Converters.OfDuration.class,
            description = {
                "How long a device's driver may take for one call (default: ${DEFAULT-VALUE}).",
                "Keep it below the peer's --peer-timeout: the peer hears nothing meanwhile."
            })
    Duration deviceTimeout = Duration.ZERO;

    @Option(
            names = "--overlap",
            paramLabel = "auto|on|off",
            converter = Converters.OfOverlap.class,
            defaultValue = "auto",
            description = "Device and peer at the same time, on a thread each (default: ${DEFAULT-VALUE}; "
                    + "auto: where there are more than two processors).")
    Overlap overlap = Overlap.AUTO;

    long memoryFor(int devices) {
        Long said = memory;
        return said == null ? MEMORY_EACH * devices : said;
    }

    MigrationParameters.Builder fill(MigrationParameters.Builder builder) {
        return builder.hugePages(hugePages)
                .peerLimit(peerTimeout)
                .handlerLimit(deviceTimeout)
                .overlap(overlap);
    }
}
