// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.transport.Transport;
import java.util.concurrent.locks.Lock;
import java.util.function.BooleanSupplier;

/**
 * Where a migration's time, threads, waits and connections come from: the seam behind which a simulation puts its own.
 *
 * <p>A wait is for a condition over what other threads write. Who writes says so by {@link #changed}, after the write.
 */
interface Execution {

    /** Work that has been started. */
    interface Task {
        /** Waits until it has ended; for one that has been told to, so it is soon. */
        void join();
    }

    /** What time it is, in nanoseconds from an unknown moment. */
    long nanoTime();

    /** Starts work beside the caller's. */
    Task start(String name, Runnable work);

    /**
     * Waits until a condition is true.
     *
     * @param condition only reads; any thread that says that something has changed may look at it, one at a time
     * @return false when the deadline passed before
     */
    boolean await(long deadline, BooleanSupplier condition);

    /**
     * Sleeps for a moment, before something is measured to predict the downtime: there, too, most threads have slept,
     * and take several times as long to wake up as those that just ran.
     */
    default void rest() {
        await(nanoTime() + 1_000_000, () -> false);
    }

    /** Has the conditions of those who wait looked at again. Any thread. */
    void changed();

    /** Makes a lock that is held while a peer is waited for. */
    Lock newLock();

    /** Opens the way to peers and files; closed by the caller. */
    Transport openTransport();
}
