// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** A guest that changes a part of its machine for as long as it runs, by seeded changes on a thread of its own. */
final class Writer {
    private static final long PAUSE_NANOS = 100_000;

    private final MachinePart part;
    private final Random random;
    private volatile @Nullable Thread thread;
    private volatile boolean running;

    Writer(MachinePart part, Random random) {
        this.part = part;
        this.random = random;
    }

    /** Lets a virtual machine start and stop the guest. */
    Writer drivenBy(RecordingVm vm) {
        vm.atStop = this::stop;
        vm.atResume = this::start;
        return this;
    }

    void start() {
        running = true;
        Thread guest = new Thread(
                () -> {
                    while (running) {
                        part.change(random);
                        LockSupport.parkNanos(PAUSE_NANOS);
                    }
                },
                "guest");
        thread = guest;
        guest.start();
    }

    void stop() {
        running = false;
        Thread guest = thread;
        boolean interrupted = false;
        while (guest != null && guest.isAlive()) {
            try {
                guest.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
