// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.Random;

/** A virtual machine whose one CPU writes to random pages, or makes them zero, until it is stopped. */
final class WritingGuest implements VirtualMachine, AutoCloseable {
    private static final long PAGE = 4096;
    private static final int ONE_IN = 16;

    private final MemorySegment memory;
    private final Random random;
    private final long pauseNanos;
    private Thread cpu = new Thread();
    private volatile boolean running;
    volatile int stops;
    volatile int resumes;

    /** Makes one that writes to a page now and then; it runs from {@link #resume} on. */
    WritingGuest(MemorySegment memory, Random random, long pauseNanos) {
        this.memory = memory;
        this.random = random;
        this.pauseNanos = pauseNanos;
    }

    /** Writes something everywhere but to one page of four. */
    static void fill(MemorySegment memory, Random random) {
        for (long page = 0; page < memory.byteSize() / PAGE; page++) {
            if (random.nextInt(4) != 0) {
                write(memory, page, random);
            }
        }
    }

    private static void write(MemorySegment memory, long page, Random random) {
        for (int i = 0; i < 4; i++) {
            memory.set(JAVA_LONG, page * PAGE + random.nextInt((int) PAGE / 8) * 8L, random.nextLong());
        }
    }

    @Override
    public synchronized void resume() {
        resumes++;
        running = true;
        cpu = new Thread(this::run, "vfio4j-test-cpu");
        cpu.start();
    }

    private void run() {
        while (running) {
            long page = random.nextLong(memory.byteSize() / PAGE);
            if (random.nextInt(ONE_IN) == 0) {
                memory.asSlice(page * PAGE, PAGE).fill((byte) 0);
            } else {
                write(memory, page, random);
            }
            if (pauseNanos > 0) {
                java.util.concurrent.locks.LockSupport.parkNanos(pauseNanos);
            }
        }
    }

    boolean runs() {
        return running;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread at a time
    public synchronized void stop() {
        stops++;
        halt();
    }

    private void halt() {
        running = false;
        boolean interrupted = false;
        while (cpu.isAlive()) {
            try {
                cpu.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public synchronized void close() {
        halt();
    }
}
