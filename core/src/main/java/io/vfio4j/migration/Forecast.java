// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

/**
 * What would happen if the device were stopped now, from what this migration has measured so far.
 *
 * @param round the round of pre-copy, from 1
 * @param elapsedNanos how long pre-copy has lasted
 * @param initialBytes how many initial bytes are outstanding: while there are any, the device should not be stopped
 * @param pendingBytes how many bytes would have to go while it is stopped
 * @param bytesPerSecond how fast they would go
 * @param transferNanos how long that would take
 * @param transitionNanos how long the arcs of both devices would take
 * @param roundTripNanos how long the handover's messages would travel
 */
public record Forecast(
        int round,
        long elapsedNanos,
        long initialBytes,
        long pendingBytes,
        long bytesPerSecond,
        long transferNanos,
        long transitionNanos,
        long roundTripNanos) {
    /**
     * Returns the part of the predicted downtime that no further pre-copy makes shorter.
     *
     * @return nanoseconds
     */
    public long fixedNanos() {
        return transitionNanos + roundTripNanos;
    }

    /**
     * Returns the predicted downtime.
     *
     * @return nanoseconds, saturated at {@link Long#MAX_VALUE}
     */
    public long downtimeNanos() {
        long sum = transferNanos + fixedNanos();
        return sum < 0 ? Long.MAX_VALUE : sum;
    }
}
