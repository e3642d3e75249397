// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;

/**
 * The virtual machine that a device belongs to, as far as a migration moves it. A virtual machine monitor implements
 * it.
 *
 * <p>The calls come one at a time, on a thread of their own. One that does not return within
 * {@link MigrationParameters#handlerLimit} has failed, and nobody knows what it still does: that is told.
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
     * Hears that the switchover is about to begin, when the virtual machine still runs: time to warn whoever is
     * connected to its devices. Source only. Not part of the downtime.
     *
     * @throws IOException when it is not to begin; the migration is given up
     */
    default void prepare() throws IOException {}

    /**
     * Slows the virtual CPUs down, so that they change less. Source only, with
     * {@link MigrationLimits.NotConverging#THROTTLE}.
     *
     * @param percent of the time in which they do not run, 0 to 99; 0 at the migration's end, however it ended
     * @throws IOException when that cannot be done; the migration goes on
     */
    default void throttle(int percent) throws IOException {}

    /**
     * Stops the virtual CPUs. Source only; the devices are stopped after it. Not called when they are stopped already
     * as the migration begins: that is a virtual machine that is paused.
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
