// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.util.concurrent.TimeUnit;

/**
 * What one {@link StateCopy} did.
 *
 * @param chunkBytes how much was read at once
 * @param preCopy what went while the device ran
 * @param stopCopy what went while it was stopped
 * @param saidBytes what {@code MIG_DATA_SIZE} said right before the stop, in bytes;
 *     {@link io.vfio4j.device.VfioDevice#UNKNOWN_STOP_COPY_LENGTH} where the driver could not tell
 * @param quiesceNanos how long the first step down took, in nanoseconds
 * @param stopNanos how long the second step down took, in nanoseconds
 * @param drainNanos how long it took to read what was left, and to write it where there is a peer, in nanoseconds
 * @param timeline bytes and phases over time
 */
public record CopyReport(
        int chunkBytes,
        Moved preCopy,
        Moved stopCopy,
        long saidBytes,
        long quiesceNanos,
        long stopNanos,
        long drainNanos,
        Timeline timeline) {

    /**
     * Bytes, and what the two drivers took for them.
     *
     * @param bytes how many
     * @param readNanos how long reading took, in nanoseconds
     * @param writeNanos how long writing took, in nanoseconds; 0 without a peer
     */
    public record Moved(long bytes, long readNanos, long writeNanos) {
        /** So few bytes that their time says nothing of a rate. */
        private static final long LEAST = 64 << 10;

        /**
         * Returns how fast they were read.
         *
         * @return bytes per second; 0 where so few were read that it is not known
         */
        public long readRate() {
            return rate(readNanos);
        }

        /**
         * Returns how fast they were written.
         *
         * @return bytes per second; 0 without a peer, or where it is not known
         */
        public long writeRate() {
            return writeNanos == 0 ? 0 : rate(writeNanos);
        }

        /**
         * Returns how fast one thread reads and writes them.
         *
         * @return bytes per second; 0 where it is not known
         */
        public long rate() {
            return rate(readNanos + writeNanos);
        }

        private long rate(long nanos) {
            return bytes < LEAST || nanos <= 0 ? 0 : Math.round((double) bytes * TimeUnit.SECONDS.toNanos(1) / nanos);
        }
    }

    /**
     * Returns the part that says how fast the device can be read: where most of the bytes went.
     *
     * @return pre-copy, unless the device has none or next to none
     */
    public Moved most() {
        return preCopy.bytes() >= stopCopy.bytes() ? preCopy : stopCopy;
    }
}
