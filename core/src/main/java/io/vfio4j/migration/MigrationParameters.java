// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import java.time.Duration;

/**
 * What a caller can choose about a migration. Immutable; made by a {@link Builder}.
 *
 * @param chunkBytes how many bytes one frame carries at the most; a multiple of 4096, up to 64 MiB
 * @param chunks how many chunks of memory each side may use for data, 2 to 64: the bound of its memory
 * @param hugePages whether to ask for transparent huge pages
 * @param downtimeLimit how long the device may be stopped; pre-copy goes on until the prediction fits
 * @param maxRounds after how many rounds of pre-copy to stop waiting for that; 0 for no limit
 * @param maxPreCopy after what time to stop waiting for that
 * @param whenNotConverging what to do then
 * @param maxBytesPerSecond how fast pre-copy may be; 0 for no limit. Off in the downtime
 * @param peerLimit how long the other side may be silent
 * @param acceptLimit how long a destination waits for its source
 * @param overlap whether reading one chunk overlaps with sending the one before it, on a thread of its own
 */
public record MigrationParameters(
        int chunkBytes,
        int chunks,
        boolean hugePages,
        Duration downtimeLimit,
        int maxRounds,
        Duration maxPreCopy,
        NotConverging whenNotConverging,
        long maxBytesPerSecond,
        Duration peerLimit,
        Duration acceptLimit,
        Overlap overlap) {

    /** What to do when pre-copy is not going to fit the downtime limit. */
    public enum NotConverging {
        /** Switch over anyway, once over the limit. */
        SWITCH_OVER,
        /** Give up; the device runs on at the source. */
        GIVE_UP
    }

    /** Whether reading and sending overlap. */
    public enum Overlap {
        /** Where there are more than two processors. */
        AUTO,
        /** Always. */
        ON,
        /** Never: one thread does both. */
        OFF
    }

    /** What is used where nothing else is said. */
    public static final MigrationParameters DEFAULT = builder().build();

    private static final int MIN_CHUNKS = 2;
    private static final int MAX_TIMEOUT_SECONDS = 86_400;

    /**
     * Checks every value.
     *
     * @throws IllegalArgumentException for a value out of range; the message names it and the range
     */
    public MigrationParameters {
        if (chunkBytes < 4096 || chunkBytes > BufferPool.MAX_CAPACITY || chunkBytes % 4096 != 0) {
            throw new IllegalArgumentException(
                    "chunkBytes is a multiple of 4096 up to " + BufferPool.MAX_CAPACITY + ", not " + chunkBytes);
        }
        if (chunks < MIN_CHUNKS || chunks > BufferPool.MAX_BUFFERS) {
            throw new IllegalArgumentException(
                    "chunks is " + MIN_CHUNKS + " to " + BufferPool.MAX_BUFFERS + ", not " + chunks);
        }
        if (maxRounds < 0) {
            throw new IllegalArgumentException("maxRounds is 0 (no limit) or more, not " + maxRounds);
        }
        if (maxBytesPerSecond < 0) {
            throw new IllegalArgumentException("maxBytesPerSecond is 0 (no limit) or more, not " + maxBytesPerSecond);
        }
        requireDuration("downtimeLimit", downtimeLimit);
        requireDuration("maxPreCopy", maxPreCopy);
        requireDuration("peerLimit", peerLimit);
        requireDuration("acceptLimit", acceptLimit);
    }

    /**
     * Begins with the defaults.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    boolean overlaps() {
        return switch (overlap) {
            case ON -> true;
            case OFF -> false;
            case AUTO -> Runtime.getRuntime().availableProcessors() > 2;
        };
    }

    private static void requireDuration(String name, Duration value) {
        if (value.isNegative() || value.isZero() || value.toSeconds() > MAX_TIMEOUT_SECONDS) {
            throw new IllegalArgumentException(
                    name + " is more than 0 and at most " + MAX_TIMEOUT_SECONDS + " s, not " + value);
        }
    }

    /** Collects parameters; what is not said keeps its default. One thread at a time. */
    public static final class Builder {
        private int chunkBytes = 1 << 20;
        private int chunks = 8;
        private boolean hugePages;
        private Duration downtimeLimit = Duration.ofMillis(300);
        private int maxRounds;
        private Duration maxPreCopy = Duration.ofMinutes(30);
        private NotConverging whenNotConverging = NotConverging.GIVE_UP;
        private long maxBytesPerSecond;
        private Duration peerLimit = Duration.ofSeconds(30);
        private Duration acceptLimit = Duration.ofMinutes(10);
        private Overlap overlap = Overlap.AUTO;

        private Builder() {}

        /**
         * Sets {@link MigrationParameters#chunkBytes}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder chunkBytes(int value) {
            chunkBytes = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#chunks}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder chunks(int value) {
            chunks = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#hugePages}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder hugePages(boolean value) {
            hugePages = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#downtimeLimit}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder downtimeLimit(Duration value) {
            downtimeLimit = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#maxRounds}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder maxRounds(int value) {
            maxRounds = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#maxPreCopy}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder maxPreCopy(Duration value) {
            maxPreCopy = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#whenNotConverging}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder whenNotConverging(NotConverging value) {
            whenNotConverging = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#maxBytesPerSecond}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder maxBytesPerSecond(long value) {
            maxBytesPerSecond = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#peerLimit}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder peerLimit(Duration value) {
            peerLimit = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#acceptLimit}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder acceptLimit(Duration value) {
            acceptLimit = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#overlap}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder overlap(Overlap value) {
            overlap = value;
            return this;
        }

        /**
         * Checks the values and makes the parameters.
         *
         * @return the parameters
         * @throws IllegalArgumentException for a value out of range; the message names it and the range
         */
        public MigrationParameters build() {
            return new MigrationParameters(
                    chunkBytes,
                    chunks,
                    hugePages,
                    downtimeLimit,
                    maxRounds,
                    maxPreCopy,
                    whenNotConverging,
                    maxBytesPerSecond,
                    peerLimit,
                    acceptLimit,
                    overlap);
        }
    }
}
