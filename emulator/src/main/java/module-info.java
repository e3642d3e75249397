// SPDX-License-Identifier: Apache-2.0
import org.jspecify.annotations.NullMarked;

/** VFIO devices inside this process, for tests and for trying the command without hardware. */
@NullMarked
module io.vfio4j.emulator {
    requires static transitive org.jspecify;
    requires transitive io.vfio4j.core;

    exports io.vfio4j.emulator;
}
