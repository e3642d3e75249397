// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.util.concurrent.locks.LockSupport;

/** The clock of a measurement, and how it waits. */
public interface Time {
    /** The JVM's own. */
    Time SYSTEM = new Time() {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public void pause(long nanos) {
            LockSupport.parkNanos(nanos);
        }
    };

    /**
     * Returns what time it is.
     *
     * @return nanoseconds since some moment
     */
    long nanoTime();

    /**
     * Waits for about that long.
     *
     * @param nanos nanoseconds
     */
    void pause(long nanos);
}
