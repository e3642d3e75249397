// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/** Decides when to stop the device. Called on the migration's thread at the end of each round of pre-copy. */
@FunctionalInterface
public interface SwitchoverPolicy {

    /** What to do next. */
    enum Decision {
        /** Go on with pre-copy. */
        CONTINUE,
        /** Stop the device and send the rest. */
        SWITCH_OVER,
        /** Give the migration up; the device runs on. */
        GIVE_UP
    }

    /**
     * Decides.
     *
     * @param forecast what would happen if the device were stopped now
     * @return what to do
     */
    Decision decide(Forecast forecast);

    /**
     * Returns the policy that parameters describe: switch over when all initial bytes are gone and the predicted
     * downtime fits the limit; when rounds or time are over, do as {@link MigrationParameters#whenNotConverging} says.
     * Where that is to give up, that is done at once if the limit is below what no pre-copy makes shorter.
     *
     * @param parameters the limits
     * @return the policy
     */
    static SwitchoverPolicy of(MigrationParameters parameters) {
        return forecast -> {
            boolean initialSent = forecast.initialBytes() == 0;
            if (initialSent
                    && forecast.downtimeNanos() <= parameters.downtimeLimit().toNanos()) {
                return Decision.SWITCH_OVER;
            }
            boolean givesUp = parameters.whenNotConverging() == MigrationParameters.NotConverging.GIVE_UP;
            if (givesUp && forecast.fixedNanos() > parameters.downtimeLimit().toNanos()) {
                return Decision.GIVE_UP;
            }
            boolean over = (parameters.maxRounds() > 0 && forecast.round() >= parameters.maxRounds())
                    || forecast.elapsedNanos() >= parameters.maxPreCopy().toNanos();
            if (!over) {
                return Decision.CONTINUE;
            }
            return givesUp ? Decision.GIVE_UP : Decision.SWITCH_OVER;
        };
    }
}
