// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

import java.util.List;

/**
 * What went from the source to the destination when that ran already: what QEMU calls postcopy.
 *
 * @param bytes how many bytes of state
 * @param nanos how long it took, in nanoseconds, with the destination's word that it is all there
 * @param missing which handlers' is not all there; the virtual machine runs without it
 */
public record AfterSwitchover(long bytes, long nanos, List<Missing> missing) {
    /** Nothing could wait. */
    public static final AfterSwitchover NONE = new AfterSwitchover(0, 0, List.of());

    /** Copies the list. */
    public AfterSwitchover {
        missing = List.copyOf(missing);
    }

    /**
     * A handler whose later state is not all at the destination.
     *
     * @param handler its name
     * @param reason why, one line for a person
     */
    public record Missing(String handler, String reason) {}
}
