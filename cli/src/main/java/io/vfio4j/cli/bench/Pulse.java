// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.io.IOException;

/** Told after each call of a driver, so that whoever waits for a measurement sees that it goes on, and can end it. */
@FunctionalInterface
public interface Pulse {
    /** Nobody waits. */
    Pulse NONE = () -> {};

    /**
     * Says that a driver has answered.
     *
     * @throws IOException to end the measurement, which leaves the device in RUNNING
     */
    void beat() throws IOException;
}
