// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.example;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A monitor's own device: a few thousand registers, which the guest writes while they are sent.
 *
 * <p>Each piece is a run of numbers and values; a register that is written after it went goes again. What the guest
 * writes last goes when the virtual machine is stopped.
 */
public final class RegistersHandler implements StateHandler {
    /** Of the format of a piece. A destination that has another one refuses before anything is touched. */
    private static final int VERSION = 1;

    private static final int BYTES_EACH = Integer.BYTES + Long.BYTES;

    private final String name;
    private final long[] values;
    private final BitSet written = new BitSet();

    /**
     * Makes a device whose registers are all 0.
     *
     * @param name what ties it to the one at the other side
     * @param count how many registers it has, &gt; 0
     */
    public RegistersHandler(String name, int count) {
        this.name = name;
        this.values = new long[count];
    }

    /**
     * Writes a register: what the guest does, on a virtual CPU's thread.
     *
     * @param register which, from 0
     * @param value what to write
     */
    public synchronized void write(int register, long value) {
        values[register] = value;
        written.set(register);
    }

    /**
     * Returns what the registers hold.
     *
     * @return a copy
     */
    public synchronized long[] values() {
        return values.clone();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return new Description("registers", VERSION, Map.of("count", Integer.toString(values.length)));
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        String count = source.attributes().getOrDefault("count", "0");
        return count.equals(Integer.toString(values.length))
                ? null
                : "the source has " + count + " registers, this side " + values.length;
    }

    /** All of them are to go. */
    @Override
    public synchronized void saveSetup() {
        written.set(0, values.length);
    }

    @Override
    public boolean iterates() {
        return true;
    }

    /** Exact at any time, so that it does not matter how exact it is to be. */
    @Override
    public synchronized void pending(long thresholdBytes, Precision precision, Pending pending) {
        pending.preCopyBytes((long) written.cardinality() * BYTES_EACH);
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        PooledBuffer piece = out.acquire();
        fill(piece);
        if (piece.length() == 0) {
            out.giveBack(piece);
            return false;
        }
        out.send(piece);
        return true;
    }

    /** The virtual machine is stopped: nothing is written any more. */
    @Override
    public void complete(StateOutput out) throws IOException {
        boolean more = true;
        while (more) {
            more = iterate(out);
        }
    }

    private synchronized void fill(PooledBuffer piece) {
        ByteBuffer view = piece.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + piece.capacity());
        int next = written.nextSetBit(0);
        while (next >= 0 && view.remaining() >= BYTES_EACH) {
            view.putInt(next).putLong(values[next]);
            written.clear(next);
            next = written.nextSetBit(next + 1);
        }
        piece.length(view.position() - PooledBuffer.HEAD_ROOM);
    }

    /** A peer is not trusted: what does not fit is refused, and the source runs on. */
    @Override
    public synchronized void load(PooledBuffer chunk) throws IOException {
        ByteBuffer view = chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + chunk.length());
        while (view.hasRemaining()) {
            int register = view.remaining() < BYTES_EACH ? -1 : view.getInt();
            if (register < 0 || register >= values.length) {
                throw new IOException("a piece that is no run of registers");
            }
            values[register] = view.getLong();
        }
    }

    /** Half a state is none. */
    @Override
    public synchronized void discard() {
        Arrays.fill(values, 0);
    }
}
