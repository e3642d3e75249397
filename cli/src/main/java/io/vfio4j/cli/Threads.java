// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

/** Ends the threads that only look at something, or tell of it. */
final class Threads {
    private Threads() {}

    /** Interrupts a thread that ends with that, and waits for its end, however often the caller is interrupted. */
    static void end(Thread thread) {
        thread.interrupt();
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
