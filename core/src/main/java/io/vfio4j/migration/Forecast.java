// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.observe.Downtime;

/**
 * What would happen if the devices were stopped now, from what this migration has measured so far.
 *
 * @param round the round of pre-copy, from 1: that of the handler that has done the fewest
 * @param elapsedNanos how long pre-copy has lasted
 * @param sentBytes how many bytes it has sent
 * @param requiredBytes how many bytes must go before the switchover: while there are any, there should be none
 * @param acksOutstanding how many handlers of the destination are not ready yet: the same goes for them
 * @param pendingBytes how many bytes would have to go in the downtime
 * @param bytesPerSecond how fast they would go, all handlers together
 * @param downtime how long each part would take
 */
public record Forecast(
        int round,
        long elapsedNanos,
        long sentBytes,
        long requiredBytes,
        int acksOutstanding,
        long pendingBytes,
        long bytesPerSecond,
        Downtime downtime) {
    /**
     * Returns the part of the predicted downtime that no further pre-copy makes shorter: all but the drain.
     *
     * @return nanoseconds
     */
    public long fixedNanos() {
        return downtime.stopVm() + downtime.quiesce() + downtime.stopCopy() + downtime.load() + downtime.resume();
    }

    /**
     * Returns the predicted downtime.
     *
     * @return nanoseconds, saturated at {@link Long#MAX_VALUE}
     */
    public long downtimeNanos() {
        return Pending.sum(downtime.drain(), fixedNanos());
    }

    /**
     * Tells whether both sides are ready for the switchover.
     *
     * @return whether all required bytes have gone and all acknowledgements have come
     */
    public boolean isReady() {
        return requiredBytes == 0 && acksOutstanding == 0;
    }
}
