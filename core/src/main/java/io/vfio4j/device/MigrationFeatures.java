// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.ffm.vfio.Vfio;
import java.util.ArrayList;
import java.util.List;

/**
 * Which parts of the migration protocol a device has: {@code struct vfio_device_feature_migration}.
 *
 * @param flags {@code VFIO_MIGRATION_*}; unknown bits are kept
 */
public record MigrationFeatures(long flags) {

    /**
     * Tells whether the state can be read and written at all.
     *
     * @return {@code VFIO_MIGRATION_STOP_COPY}
     */
    public boolean stopCopy() {
        return (flags & Vfio.VFIO_MIGRATION_STOP_COPY) != 0;
    }

    /**
     * Tells whether the device can be kept from peer-to-peer DMA while it runs.
     *
     * @return {@code VFIO_MIGRATION_P2P}
     */
    public boolean p2p() {
        return (flags & Vfio.VFIO_MIGRATION_P2P) != 0;
    }

    /**
     * Tells whether the state can be read while the device runs.
     *
     * @return {@code VFIO_MIGRATION_PRE_COPY}
     */
    public boolean preCopy() {
        return (flags & Vfio.VFIO_MIGRATION_PRE_COPY) != 0;
    }

    /**
     * Returns the kernel's words.
     *
     * @return such as {@code STOP_COPY P2P PRE_COPY}
     */
    @Override
    public String toString() {
        List<String> words = new ArrayList<>();
        if (stopCopy()) {
            words.add("STOP_COPY");
        }
        if (p2p()) {
            words.add("P2P");
        }
        if (preCopy()) {
            words.add("PRE_COPY");
        }
        return words.isEmpty() ? "none" : String.join(" ", words);
    }
}
