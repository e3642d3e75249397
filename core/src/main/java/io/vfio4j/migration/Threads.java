// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/** Waits for threads. */
final class Threads {
    private Threads() {}

    /** Waits for a thread's end; an interrupt meanwhile is kept for the caller. */
    static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
