// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.io.IOException;

/**
 * The state of one of a monitor's own devices, small enough to go while all is stopped: a virtual CPU, a clock, a UART.
 *
 * <p>It is what a {@code VMStateDescription} is in QEMU: a name, a version, and fields by number. All calls come on one
 * thread, that of the {@link SmallStateHandler} that it is given to, with the virtual machine stopped.
 *
 * <p>The rule of versions: a field that an older reader may do without is added as an optional one, and the version
 * stays. A change after which an older reader would load nonsense raises the version; a reader says by
 * {@link #oldestVersion} how far back it can read.
 */
public interface SmallState {
    /** How long a state can be at the most, in bytes, whatever {@link #maxBytes} says. */
    int MOST_BYTES = 16 << 20;

    /**
     * Returns what ties this state to the one at the other side.
     *
     * @return 1 to 64 letters, digits, {@code .}, {@code -} and {@code _} that no other state of the handler has, the
     *     same whenever it is asked for
     */
    String name();

    /**
     * Returns the version that {@link #save} writes and the newest that {@link #load} reads: {@code version_id} in
     * QEMU.
     *
     * @return 1 or more, the same whenever it is asked for
     */
    int version();

    /**
     * Returns the oldest version that {@link #load} reads: {@code minimum_version_id} in QEMU.
     *
     * @return 1 to {@link #version}
     */
    default int oldestVersion() {
        return version();
    }

    /**
     * Returns how long the fields can be, all in all. It bounds what is written and what is read, and counts for the
     * predicted downtime.
     *
     * @return bytes, 1 to {@link #MOST_BYTES}; each field takes {@link FieldWriter#FIELD_BYTES} beside its value
     */
    default int maxBytes() {
        return 16 << 10;
    }

    /**
     * Writes the state. At the source, with the virtual machine stopped: {@code pre_save} and the fields in QEMU.
     *
     * @param out where to
     * @throws IOException when it cannot be read; the virtual machine runs on at the source
     */
    void save(FieldWriter out) throws IOException;

    /**
     * Reads a state and checks it, without touching anything: another state of the same migration may still be refused.
     * Every required field has to be read. At the destination, before COMMIT.
     *
     * @param in the fields, valid until this returns
     * @return what puts the state into place
     * @throws IOException when it is not good; the virtual machine runs on at the source
     */
    Loaded load(FieldReader in) throws IOException;

    /** A state that was read and found good, and is not in place yet. */
    @FunctionalInterface
    interface Loaded {
        /**
         * Puts the state into place: {@code post_load} in QEMU. Called when all states of the handler were found good,
         * in the order in which the destination's handler has them, before COMMIT: what fails here is found out while
         * the source can still run on. The migration may fail all the same; the virtual machine must not be run then.
         *
         * @throws IOException when the state cannot be put into place; the virtual machine runs on at the source
         */
        void apply() throws IOException;
    }
}
