// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.device.MigrationState;

/**
 * A single step of the state machine.
 *
 * @param from where it begins
 * @param to where it ends
 */
public record Arc(MigrationState from, MigrationState to) {
    /**
     * Returns a name without spaces, for the tags of a histogram log.
     *
     * @return such as {@code RUNNING-PRE_COPY}
     */
    public String tag() {
        return from + "-" + to;
    }

    /**
     * Returns the kernel's words.
     *
     * @return such as {@code RUNNING → PRE_COPY}
     */
    @Override
    public String toString() {
        return from + " → " + to;
    }
}
