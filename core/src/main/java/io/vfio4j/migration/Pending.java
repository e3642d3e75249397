// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/**
 * What a handler has left to send, as {@link StateHandler#pending} fills it in. Made once and used again, for it is
 * asked for after each piece.
 *
 * <p>One thread at a time. Values below 0 count as 0.
 */
public final class Pending {
    private long requiredBytes;
    private long preCopyBytes;
    private long stoppedBytes;
    private long laterBytes;
    private int acksWanted;

    /** Makes one that says that nothing is left. */
    public Pending() {}

    void clear() {
        requiredBytes = 0;
        preCopyBytes = 0;
        stoppedBytes = 0;
        laterBytes = 0;
        acksWanted = 0;
    }

    /**
     * Sets what must go before the switchover: while there is any, there is none. A device's {@code initial_bytes}.
     *
     * @param bytes how many
     * @return this
     */
    public Pending requiredBytes(long bytes) {
        requiredBytes = Math.max(0, bytes);
        return this;
    }

    /**
     * Sets what could go now, and else goes while all is stopped: {@code precopy_bytes} in QEMU. A device's
     * {@code dirty_bytes}.
     *
     * @param bytes how many, beside the required ones
     * @return this
     */
    public Pending preCopyBytes(long bytes) {
        preCopyBytes = Math.max(0, bytes);
        return this;
    }

    /**
     * Sets what can go only while all is stopped: {@code stopcopy_bytes} in QEMU.
     *
     * @param bytes how many, beside the others
     * @return this
     */
    public Pending stoppedBytes(long bytes) {
        stoppedBytes = Math.max(0, bytes);
        return this;
    }

    /**
     * Sets what can go after the switchover, when the destination runs: {@code can_postcopy} in QEMU.
     *
     * @param bytes how many, beside the others
     * @return this
     */
    public Pending laterBytes(long bytes) {
        laterBytes = Math.max(0, bytes);
        return this;
    }

    /**
     * Sets how many acknowledgements of the destination the handler has wanted so far. Each is asked for once all
     * required bytes have gone; while one is out, there is no switchover. To want one more withdraws the switchover.
     *
     * @param acks how many since the migration began
     * @return this
     */
    public Pending acksWanted(int acks) {
        acksWanted = acks;
        return this;
    }

    /**
     * Returns what must go before the switchover.
     *
     * @return bytes
     */
    public long requiredBytes() {
        return requiredBytes;
    }

    /**
     * Returns what could go now.
     *
     * @return bytes, beside the required ones
     */
    public long preCopyBytes() {
        return preCopyBytes;
    }

    /**
     * Returns what can go only while all is stopped.
     *
     * @return bytes
     */
    public long stoppedBytes() {
        return stoppedBytes;
    }

    /**
     * Returns what can go after the switchover.
     *
     * @return bytes
     */
    public long laterBytes() {
        return laterBytes;
    }

    /**
     * Returns how many acknowledgements have been wanted so far.
     *
     * @return a count that only grows
     */
    public int acksWanted() {
        return acksWanted;
    }

    /**
     * Returns what pre-copy could send now.
     *
     * @return required and other bytes, saturated at {@link Long#MAX_VALUE}
     */
    public long iterableBytes() {
        return sum(requiredBytes, preCopyBytes);
    }

    /**
     * Returns what would go in the downtime if it began now.
     *
     * @return bytes, saturated at {@link Long#MAX_VALUE}
     */
    public long downtimeBytes() {
        return sum(iterableBytes(), stoppedBytes);
    }

    static long sum(long a, long b) {
        long sum = a + b;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }
}
