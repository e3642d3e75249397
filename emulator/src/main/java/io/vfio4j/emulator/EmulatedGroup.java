// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import org.jspecify.annotations.Nullable;

/**
 * The group of one device, and who has opened the device which way: through the group, or as a cdev.
 *
 * <p>Guarded by its own monitor. A device lock may be taken with it held, never the other way round.
 */
final class EmulatedGroup {
    final EmulatedDevice device;

    /** The one open file of the group. */
    @Nullable
    GroupFile file;

    /** How many open device files there are: at most one bound cdev, or any number through the group. */
    int deviceFiles;

    EmulatedGroup(EmulatedDevice device) {
        this.device = device;
    }

    boolean isBound() {
        return deviceFiles > 0 && file == null;
    }
}
