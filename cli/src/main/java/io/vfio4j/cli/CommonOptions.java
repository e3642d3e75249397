// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import java.time.Duration;
import picocli.CommandLine.Option;

/** What either side of a migration can be told. */
final class CommonOptions {
    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            defaultValue = "8MiB",
            converter = Converters.OfSize.class,
            description = "Memory for state on its way, per side (default: ${DEFAULT-VALUE}).")
    long memory;

    @Option(names = "--huge-pages", description = "Ask the kernel for transparent huge pages for it.")
    boolean hugePages;

    @Option(
            names = "--peer-timeout",
            paramLabel = "DURATION",
            defaultValue = "30s",
            converter = Converters.OfDuration.class,
            description = "How long the other side may be silent (default: ${DEFAULT-VALUE}).")
    Duration peerTimeout = Duration.ZERO;

    @Option(
            names = "--overlap",
            paramLabel = "auto|on|off",
            converter = Converters.OfOverlap.class,
            defaultValue = "auto",
            description = "Device and peer at the same time, on a thread each (default: ${DEFAULT-VALUE}; "
                    + "auto: where there are more than two processors).")
    Overlap overlap = Overlap.AUTO;

    MigrationParameters.Builder fill(MigrationParameters.Builder builder) {
        return builder.hugePages(hugePages).peerLimit(peerTimeout).overlap(overlap);
    }
}
