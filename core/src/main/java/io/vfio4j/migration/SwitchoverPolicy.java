// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.MigrationLimits.NotConverging;

/**
 * Decides when to stop the devices. Called on the migration's thread at the end of each handler's round of pre-copy,
 * and again with exact figures of all of them before the switchover.
 */
@FunctionalInterface
public interface SwitchoverPolicy {

    /** What to do next. */
    enum Decision {
        /** Go on with pre-copy. */
        CONTINUE,
        /** Go on with pre-copy, and slow the virtual machine down some more. */
        THROTTLE,
        /** Stop the devices and send the rest. */
        SWITCH_OVER,
        /** Give the migration up; the devices run on. */
        GIVE_UP
    }

    /**
     * Decides.
     *
     * @param forecast what would happen if the devices were stopped now
     * @param limits what the migration has to keep to now
     * @return what to do
     */
    Decision decide(Forecast forecast, MigrationLimits limits);

    /**
     * The usual policy: switch over when both sides are ready and the predicted downtime fits the limit; when rounds,
     * time or bytes are over, do as {@link MigrationLimits#whenNotConverging} says. Where that is to give up, that is
     * done at once if the limit is below what no pre-copy makes shorter.
     */
    SwitchoverPolicy STANDARD = (forecast, limits) -> {
        long limit = limits.downtimeLimit().toNanos();
        if (forecast.isReady() && forecast.downtimeNanos() <= limit) {
            return Decision.SWITCH_OVER;
        }
        boolean givesUp = limits.whenNotConverging() == NotConverging.GIVE_UP;
        if (givesUp && forecast.fixedNanos() > limit) {
            return Decision.GIVE_UP;
        }
        boolean over = (limits.maxRounds() > 0 && forecast.round() >= limits.maxRounds())
                || (limits.maxPreCopyBytes() > 0 && forecast.sentBytes() >= limits.maxPreCopyBytes())
                || forecast.elapsedNanos() >= limits.maxPreCopy().toNanos();
        if (!over) {
            return Decision.CONTINUE;
        }
        return switch (limits.whenNotConverging()) {
            case KEEP_GOING -> Decision.CONTINUE;
            case THROTTLE -> Decision.THROTTLE;
            case SWITCH_OVER -> Decision.SWITCH_OVER;
            case GIVE_UP -> Decision.GIVE_UP;
        };
    };
}
