// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import io.vfio4j.migration.handler.FieldReader;
import io.vfio4j.migration.handler.FieldWriter;
import io.vfio4j.migration.handler.SmallState;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;

/**
 * A serial port, as far as a guest that only writes needs one: what it writes is on its way at once.
 *
 * <p>The guest's accesses come on the virtual CPU's thread; {@link #await} is for any thread. How much was written is
 * its state, so that the destination's port goes on where this one has ended.
 */
final class Uart implements SmallState {
    /** The port to write to: the first of COM1's. */
    static final int TRANSMIT = 0x3f8;

    private static final int WRITTEN_FIELD = 1;

    private final OutputStream line;
    private long written;

    Uart(OutputStream line) {
        this.line = line;
    }

    /** Takes a byte that the guest writes. */
    synchronized void write(int value) throws IOException {
        line.write(value);
        written++;
        notifyAll();
    }

    /** How many bytes the guest has written since its begin, wherever it ran. */
    synchronized long written() {
        return written;
    }

    /** Waits, as long as the limit says, until the guest has written so many bytes; tells whether it has. */
    synchronized boolean await(long bytes, Duration limit) throws InterruptedException {
        long end = System.nanoTime() + limit.toNanos();
        long left = limit.toNanos();
        while (written < bytes && left > 0) {
            wait(left / 1_000_000, (int) (left % 1_000_000));
            left = end - System.nanoTime();
        }
        return written >= bytes;
    }

    @Override
    public String name() {
        return "uart";
    }

    @Override
    public int version() {
        return 1;
    }

    @Override
    public synchronized void save(FieldWriter out) throws IOException {
        out.required(WRITTEN_FIELD, written);
    }

    @Override
    public Loaded load(FieldReader in) throws IOException {
        long there = in.number(WRITTEN_FIELD);
        if (there < 0) {
            throw new IOException("uart: no port has written " + there + " bytes");
        }
        return () -> {
            synchronized (this) {
                written = there;
            }
        };
    }
}
