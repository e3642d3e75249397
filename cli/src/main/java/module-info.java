// SPDX-License-Identifier: Apache-2.0
import org.jspecify.annotations.NullMarked;

/** The command {@code vfio4j}: migrates VFIO devices from a shell. */
@NullMarked
module io.vfio4j.cli {
    // Named after its jar, for want of a name of its own.
    requires HdrHistogram;
    requires static org.jspecify;
    requires info.picocli;
    requires io.vfio4j.core;
    requires io.vfio4j.emulator;

    // picocli fills the commands' fields.
    opens io.vfio4j.cli to
            info.picocli;
}
