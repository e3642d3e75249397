// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.buffer;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Memory that several migrations of a process share, each with an equal part of it: however many there are, no more is
 * used, and none starves beside the others.
 *
 * <p>Who comes when all parts are taken waits in line for one. Any thread.
 */
public final class MemoryBudget {
    private final long bytesEach;
    private final int parts;
    private final Deque<Part> line = new ArrayDeque<>();
    private int taken;

    /**
     * Makes a budget.
     *
     * @param bytes how much memory there is, &gt; 0
     * @param migrations how many migrations may use it at the same time, &gt; 0; one more waits
     * @throws IllegalArgumentException for a value out of range
     */
    public MemoryBudget(long bytes, int migrations) {
        if (bytes <= 0 || migrations <= 0 || bytes / migrations == 0) {
            throw new IllegalArgumentException(
                    bytes + " bytes for " + migrations + " migrations: both are more than 0, and a byte for each");
        }
        this.bytesEach = bytes / migrations;
        this.parts = migrations;
    }

    /**
     * Returns how much each migration may use.
     *
     * @return bytes
     */
    public long bytesEach() {
        return bytesEach;
    }

    /**
     * Joins the line for a part.
     *
     * @return the part, which is not taken yet
     */
    public synchronized Part join() {
        Part part = new Part();
        line.add(part);
        return part;
    }

    /** One migration's part of the memory, or its place in the line. */
    public final class Part implements AutoCloseable {
        private boolean mine;
        private boolean closed;

        private Part() {}

        /**
         * Takes the part if it is this one's turn and one is free.
         *
         * @return whether it is taken now
         */
        public boolean take() {
            synchronized (MemoryBudget.this) {
                if (!mine && !closed && taken < parts && line.peek() == this) {
                    line.remove();
                    taken++;
                    mine = true;
                }
                return mine;
            }
        }

        /** Gives the part back, or leaves the line. Does nothing the second time. */
        @Override
        public void close() {
            synchronized (MemoryBudget.this) {
                if (mine) {
                    taken--;
                    mine = false;
                } else {
                    line.remove(this);
                }
                closed = true;
            }
        }
    }
}
