// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * What a virtual machine monitor keeps of a device beside the driver's data: its config space, and how its interrupts
 * are set up. The driver's data do not contain it. A monitor implements this; it is {@code save_state} of QEMU's VFIO
 * devices.
 *
 * <p>Called on the device's own thread, in the downtime.
 */
public interface DeviceConfig {

    /** When the destination takes it. At the source it is always taken when the device is stopped. */
    enum Order {
        /** Before the data that the device has left for the downtime. */
        BEFORE_DATA,
        /** After all of the device's data. */
        AFTER_DATA,
        /** When all handlers have all their data: where the interrupt controller has to be there first, as on Arm. */
        AFTER_ALL
    }

    /**
     * Saves it.
     *
     * @param to where to, little-endian, with room for {@link StateOutput#MAX_EXTRA} bytes
     * @throws IOException when it cannot be read
     */
    void save(ByteBuffer to) throws IOException;

    /**
     * Loads it.
     *
     * @param from what {@link #save} wrote, little-endian
     * @throws IOException when it is refused
     */
    void load(ByteBuffer from) throws IOException;
}
