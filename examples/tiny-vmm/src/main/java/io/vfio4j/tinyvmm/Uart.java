// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import io.vfio4j.migration.handler.FieldReader;
import io.vfio4j.migration.handler.FieldWriter;
import io.vfio4j.migration.handler.SmallState;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;

/**
 * A serial port, as far as a guest that only writes needs one: whatever it writes is on its way at once.
 *
 * <p>The guest's accesses come on the virtual CPU's thread; {@link #await} is for any thread. What was written is part
 * of the state, so that the destination's port goes on where this one has ended.
 */
final class Uart implements SmallState {
    /** The first of its eight ports: COM1's. */
    static final int BASE = 0x3f8;

    /** How many ports it has. */
    static final int PORTS = 8;

    private static final int TRANSMIT = 0;
    private static final int LINE_STATUS = 5;
    private static final int SCRATCH = 7;

    /** In the line status: what was written is on its way, and the line idle. */
    private static final int IDLE = 0x60;

    private static final int WRITTEN_FIELD = 1;
    private static final int SCRATCH_FIELD = 2;

    private final OutputStream line;
    private long written;
    private int scratch;

    /** Makes a port whose bytes go to a line, at once. */
    Uart(OutputStream line) {
        this.line = line;
    }

    /** Takes a byte that the guest writes to one of its ports, from 0. */
    synchronized void write(int port, int value) throws IOException {
        if (port == TRANSMIT) {
            line.write(value);
            written++;
            notifyAll();
        } else if (port == SCRATCH) {
            scratch = value;
        }
    }

    /** Answers what the guest reads from one of its ports, from 0. */
    synchronized int read(int port) {
        return switch (port) {
            case LINE_STATUS -> IDLE;
            case SCRATCH -> scratch;
            default -> 0;
        };
    }

    /** Returns how many bytes the guest has written since its begin, wherever it ran. */
    synchronized long written() {
        return written;
    }

    /** Waits, as long as the limit says, until the guest has written so many bytes; tells whether it has. */
    synchronized boolean await(long bytes, Duration limit) throws InterruptedException {
        long end = System.nanoTime() + limit.toNanos();
        while (written < bytes) {
            long left = end - System.nanoTime();
            if (left <= 0) {
                return false;
            }
            wait(left / 1_000_000, (int) (left % 1_000_000));
        }
        return true;
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
        out.required(WRITTEN_FIELD, written).required(SCRATCH_FIELD, scratch);
    }

    @Override
    public Loaded load(FieldReader in) throws IOException {
        long itsWritten = in.number(WRITTEN_FIELD);
        long itsScratch = in.number(SCRATCH_FIELD);
        if (itsWritten < 0 || itsScratch < 0 || itsScratch > 0xff) {
            throw new IOException("uart: no port has written " + itsWritten + " bytes and holds " + itsScratch);
        }
        return () -> put(itsWritten, (int) itsScratch);
    }

    private synchronized void put(long itsWritten, int itsScratch) {
        written = itsWritten;
        scratch = itsScratch;
    }
}
