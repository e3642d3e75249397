// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import java.util.EnumSet;
import java.util.Set;

/**
 * What a tracker can see, and what that costs.
 *
 * @param source what reports, such as {@code device DMA logging of /dev/vfio/devices/vfio0}
 * @param sees whose writes it reports; other writes are invisible to it
 * @param reportsTooMuch whether it may report pages that nobody wrote to
 * @param cost what a collection costs, in a sentence
 */
public record Capability(String source, Set<Writer> sees, boolean reportsTooMuch, String cost) {
    /** Who writes to memory. */
    public enum Writer {
        /** The guest's virtual CPUs. */
        GUEST_CPU,
        /** A device, by DMA. */
        DEVICE,
        /** This process itself. */
        THIS_PROCESS
    }

    /** Keeps a copy of the set. */
    public Capability {
        sees = Set.copyOf(sees);
    }

    /**
     * Returns which writers a tracker must be united with others for.
     *
     * @return the writers that it does not see
     */
    public Set<Writer> blindTo() {
        Set<Writer> rest = EnumSet.allOf(Writer.class);
        rest.removeAll(sees);
        return rest;
    }
}
