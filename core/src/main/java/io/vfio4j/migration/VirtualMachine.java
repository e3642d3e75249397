// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;

/**
 * The virtual machine that a device belongs to, as far as a migration moves it. A virtual machine monitor implements
 * it.
 *
 * <p>Called on the migration's thread, within the downtime.
 */
public interface VirtualMachine {
    /** A device without a virtual machine. */
    VirtualMachine NONE = new VirtualMachine() {
        @Override
        public void stop() {}

        @Override
        public void resume() {}
    };

    /**
     * Stops the virtual CPUs. Source only; the device is stopped after it. Not called for a device that is in STOP when
     * the migration begins: that is a virtual machine that is paused.
     *
     * @throws IOException when it cannot be stopped; the migration is given up and {@link #resume} called
     */
    void stop() throws IOException;

    /**
     * Lets the virtual CPUs run. At the destination after its device runs, which a monitor whose virtual machine was
     * paused at the source may leave undone; at the source when a migration is given up after {@link #stop}.
     *
     * @throws IOException when it cannot run
     */
    void resume() throws IOException;
}
