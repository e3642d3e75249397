// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.MemoryBudget;
import io.vfio4j.stream.Message;
import java.time.Duration;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * What a caller can choose about a migration. Immutable; made by a {@link Builder}.
 *
 * @param chunkBytes how many bytes one frame carries at the most; a multiple of 4096, up to 64 MiB
 * @param chunks how many chunks of memory each side may use for data, 2 to {@link #MAX_CHUNKS}: the bound of its
 *     memory. All handlers share them, equally; one handler uses at most 64
 * @param hugePages whether to ask for transparent huge pages, which are there some milliseconds sooner: true unless
 *     they are scarce
 * @param limits what to keep to, as long as {@link OutgoingMigration#limits} does not change it
 * @param peerLimit how long the other side may be silent
 * @param acceptLimit how long a destination waits for its source
 * @param handlerLimit how long one call of a handler, or one piece of it, or one call of the virtual machine may take:
 *     what takes longer has failed. To be shorter than {@code peerLimit} at both sides, for the peer hears nothing
 *     meanwhile; 25 s by default
 * @param switchoverAck whether the destination's handlers say when they are ready for the switchover
 * @param allowDevicesWithoutP2p whether several devices may migrate although one of them cannot be kept from
 *     peer-to-peer DMA
 * @param pauseBeforeSwitchover whether the switchover waits for {@link OutgoingMigration#proceed}
 * @param memory what several migrations of this process share, beside the bound of each; null for no other bound
 * @param executor what runs this migration's threads; by default the library's own. Each piece of work that it is given
 *     must begin at once, on a thread of its own, and lasts as long as the migration: at the source one for each
 *     handler and three more, at the destination one for each and two more; where reading and sending overlap, two for
 *     each. Before them, and when a doubt is resolved, one for each handler that ends soon
 * @param overlap whether reading one chunk overlaps with sending the one before it, on a thread of its own
 */
public record MigrationParameters(
        int chunkBytes,
        int chunks,
        boolean hugePages,
        MigrationLimits limits,
        Duration peerLimit,
        Duration acceptLimit,
        Duration handlerLimit,
        boolean switchoverAck,
        boolean allowDevicesWithoutP2p,
        boolean pauseBeforeSwitchover,
        @Nullable MemoryBudget memory,
        Executor executor,
        Overlap overlap) {

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

    /** The most chunks that all handlers together can use: a full pool for each. */
    public static final int MAX_CHUNKS = Message.Hello.MAX_OFFERS * BufferPool.MAX_BUFFERS;

    private static final int MIN_CHUNKS = 2;

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
        if (chunks < MIN_CHUNKS || chunks > MAX_CHUNKS) {
            throw new IllegalArgumentException("chunks is " + MIN_CHUNKS + " to " + MAX_CHUNKS + ", not " + chunks);
        }
        MigrationLimits.requireDuration("peerLimit", peerLimit);
        MigrationLimits.requireDuration("acceptLimit", acceptLimit);
        MigrationLimits.requireDuration("handlerLimit", handlerLimit);
    }

    /**
     * Begins with the defaults.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** How many chunks each of several handlers may use, so that all of them keep to the bound. */
    int chunksFor(int handlers) throws MigrationException {
        long allowed = memoryBytes() / chunkBytes;
        int least = leastChunks();
        if (allowed / handlers < least) {
            throw new MigrationException(
                    MigrationException.Reason.DEVICE,
                    handlers + " handlers need " + handlers * least + " chunks of memory, and " + allowed
                            + " are allowed; allow more, or smaller ones");
        }
        return (int) Math.min(BufferPool.MAX_BUFFERS, allowed / handlers);
    }

    /** How much memory the data on its way may take. */
    long memoryBytes() {
        long own = (long) chunks * chunkBytes;
        return memory == null ? own : Math.min(own, memory.bytesEach());
    }

    /** How many chunks a handler needs at the least. */
    int leastChunks() {
        return overlaps() ? 2 : 1;
    }

    boolean overlaps() {
        return switch (overlap) {
            case ON -> true;
            case OFF -> false;
            case AUTO -> Runtime.getRuntime().availableProcessors() > 2;
        };
    }

    /** Collects parameters; what is not said keeps its default. One thread at a time. */
    public static final class Builder {
        private int chunkBytes = 1 << 20;
        private int chunks = 8;
        private boolean hugePages = true;
        private Duration downtimeLimit = Duration.ofMillis(300);
        private int maxRounds;
        private Duration maxPreCopy = Duration.ofMinutes(30);
        private MigrationLimits.NotConverging whenNotConverging = MigrationLimits.NotConverging.GIVE_UP;
        private long maxBytesPerSecond;
        private long maxPreCopyBytes;
        private Duration peerLimit = Duration.ofSeconds(30);
        private Duration acceptLimit = Duration.ofMinutes(10);
        private Duration handlerLimit = Duration.ofSeconds(25);
        private boolean switchoverAck = true;
        private boolean allowDevicesWithoutP2p;
        private boolean pauseBeforeSwitchover;
        private @Nullable MemoryBudget memory;
        private Executor executor = ThreadedExecution.OWN_THREADS;
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
         * Sets {@link MigrationLimits#downtimeLimit}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder downtimeLimit(Duration value) {
            downtimeLimit = value;
            return this;
        }

        /**
         * Sets {@link MigrationLimits#maxRounds}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder maxRounds(int value) {
            maxRounds = value;
            return this;
        }

        /**
         * Sets {@link MigrationLimits#maxPreCopy}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder maxPreCopy(Duration value) {
            maxPreCopy = value;
            return this;
        }

        /**
         * Sets {@link MigrationLimits#whenNotConverging}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder whenNotConverging(MigrationLimits.NotConverging value) {
            whenNotConverging = value;
            return this;
        }

        /**
         * Sets {@link MigrationLimits#maxBytesPerSecond}.
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
         * Sets {@link MigrationParameters#handlerLimit}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder handlerLimit(Duration value) {
            handlerLimit = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#switchoverAck}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder switchoverAck(boolean value) {
            switchoverAck = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#allowDevicesWithoutP2p}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder allowDevicesWithoutP2p(boolean value) {
            allowDevicesWithoutP2p = value;
            return this;
        }

        /**
         * Sets {@link MigrationLimits#maxPreCopyBytes}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder maxPreCopyBytes(long value) {
            maxPreCopyBytes = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#pauseBeforeSwitchover}.
         *
         * @param value the value; checked by {@link #build}
         * @return this
         */
        public Builder pauseBeforeSwitchover(boolean value) {
            pauseBeforeSwitchover = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#memory}.
         *
         * @param value the value
         * @return this
         */
        public Builder memory(@Nullable MemoryBudget value) {
            memory = value;
            return this;
        }

        /**
         * Sets {@link MigrationParameters#executor}.
         *
         * @param value the value
         * @return this
         */
        public Builder executor(Executor value) {
            executor = value;
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
                    new MigrationLimits(
                            downtimeLimit,
                            maxRounds,
                            maxPreCopy,
                            maxPreCopyBytes,
                            whenNotConverging,
                            maxBytesPerSecond),
                    peerLimit,
                    acceptLimit,
                    handlerLimit,
                    switchoverAck,
                    allowDevicesWithoutP2p,
                    pauseBeforeSwitchover,
                    memory,
                    executor,
                    overlap);
        }
    }
}
