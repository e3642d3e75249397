// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.time.Duration;

/**
 * What a migration has to keep to, and what can be changed while it runs: see {@link OutgoingMigration#limits}.
 * Immutable.
 *
 * @param downtimeLimit how long the devices may be stopped; pre-copy goes on until the prediction fits
 * @param maxRounds after how many rounds of pre-copy to stop waiting for that; 0 for no limit
 * @param maxPreCopy after what time to stop waiting for that
 * @param maxPreCopyBytes after how many bytes to stop waiting for that; 0 for no limit
 * @param whenNotConverging what to do then
 * @param maxBytesPerSecond how fast pre-copy may be, all handlers together; 0 for no limit. Off in the downtime
 */
public record MigrationLimits(
        Duration downtimeLimit,
        int maxRounds,
        Duration maxPreCopy,
        long maxPreCopyBytes,
        NotConverging whenNotConverging,
        long maxBytesPerSecond) {

    /** What to do when pre-copy is not going to fit the downtime limit. */
    public enum NotConverging {
        /** Go on all the same, until it fits or is cancelled. */
        KEEP_GOING,
        /** Slow the virtual CPUs down, more each round: {@link VirtualMachine#throttle}. */
        THROTTLE,
        /** Switch over anyway, once over the limit. */
        SWITCH_OVER,
        /** Give up; the devices run on at the source. */
        GIVE_UP
    }

    static final int MAX_SECONDS = 86_400;

    /**
     * Checks every value.
     *
     * @throws IllegalArgumentException for a value out of range; the message names it and the range
     */
    public MigrationLimits {
        requireDuration("downtimeLimit", downtimeLimit);
        requireDuration("maxPreCopy", maxPreCopy);
        requireNoLimitOrMore("maxRounds", maxRounds);
        requireNoLimitOrMore("maxPreCopyBytes", maxPreCopyBytes);
        requireNoLimitOrMore("maxBytesPerSecond", maxBytesPerSecond);
    }

    /**
     * Returns these limits with another downtime.
     *
     * @param limit how long the devices may be stopped
     * @return the new limits
     */
    public MigrationLimits withDowntimeLimit(Duration limit) {
        return new MigrationLimits(limit, maxRounds, maxPreCopy, maxPreCopyBytes, whenNotConverging, maxBytesPerSecond);
    }

    /**
     * Returns these limits with another rate.
     *
     * @param bytes how many a second; 0 for no limit
     * @return the new limits
     */
    public MigrationLimits withMaxBytesPerSecond(long bytes) {
        return new MigrationLimits(downtimeLimit, maxRounds, maxPreCopy, maxPreCopyBytes, whenNotConverging, bytes);
    }

    /**
     * Returns these limits with another way to go on when pre-copy does not converge.
     *
     * @param how what to do
     * @return the new limits
     */
    public MigrationLimits withWhenNotConverging(NotConverging how) {
        return new MigrationLimits(downtimeLimit, maxRounds, maxPreCopy, maxPreCopyBytes, how, maxBytesPerSecond);
    }

    /**
     * Returns these limits with another number of rounds.
     *
     * @param rounds how many; 0 for no limit
     * @return the new limits
     */
    public MigrationLimits withMaxRounds(int rounds) {
        return new MigrationLimits(
                downtimeLimit, rounds, maxPreCopy, maxPreCopyBytes, whenNotConverging, maxBytesPerSecond);
    }

    /**
     * Returns these limits with another time of pre-copy.
     *
     * @param time how long from its beginning
     * @return the new limits
     */
    public MigrationLimits withMaxPreCopy(Duration time) {
        return new MigrationLimits(
                downtimeLimit, maxRounds, time, maxPreCopyBytes, whenNotConverging, maxBytesPerSecond);
    }

    /**
     * Returns these limits with another number of bytes.
     *
     * @param bytes how many; 0 for no limit
     * @return the new limits
     */
    public MigrationLimits withMaxPreCopyBytes(long bytes) {
        return new MigrationLimits(downtimeLimit, maxRounds, maxPreCopy, bytes, whenNotConverging, maxBytesPerSecond);
    }

    private static void requireNoLimitOrMore(String name, long value) {
        if (value < 0) {
            throw new IllegalArgumentException(name + " is 0 (no limit) or more, not " + value);
        }
    }

    static void requireDuration(String name, Duration value) {
        if (value.isNegative() || value.isZero() || value.compareTo(Duration.ofSeconds(MAX_SECONDS)) > 0) {
            throw new IllegalArgumentException(
                    name + " is more than 0 and at most " + MAX_SECONDS + " s, not " + value);
        }
    }
}
