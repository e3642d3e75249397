// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.Random;

/** A part of a machine, with the handler that moves it: what {@link HandlerContract} tests. */
public interface MachinePart extends AutoCloseable {
    /**
     * Returns what moves it.
     *
     * @return the handler, the same each time; it serves one migration after the other, in both directions
     */
    StateHandler handler();

    /**
     * Changes something, as a guest does that runs. Called on a thread of its own, beside the handler's calls.
     *
     * @param random where the change comes from
     */
    void change(Random random);

    /**
     * Returns what the part holds. Called while nothing changes.
     *
     * @return something that is equal for equal parts, and says what differs
     */
    Object contents();

    @Override
    void close();
}
