// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

/**
 * What one migration came to. Times are nanoseconds; -1 where one is not known.
 *
 * @param scenario what was done
 * @param peer who did it
 * @param round when, from 1 on
 * @param note why it did not complete, or empty
 * @param preCopyBytes sent while the devices ran
 * @param preCopyNanos how long that took: in the lab by the devices' own account
 * @param stopCopyBytes sent thereafter
 * @param downtimeNanos from the stop to the destination's devices in RUNNING: in the lab by the devices' own account
 * @param ownPreCopyNanos what the peer says of pre-copy
 * @param ownDowntimeNanos what the peer says of the downtime
 * @param sourceCpuNanos processor time of the source from its first device in PRE_COPY on
 * @param destinationCpuNanos processor time of the destination from then on
 * @param sourcePeakBytes the most memory that the source had resident
 * @param destinationPeakBytes the most memory that the destination had resident
 */
record Measurement(
        Scenario scenario,
        String peer,
        int round,
        String note,
        long preCopyBytes,
        long preCopyNanos,
        long stopCopyBytes,
        long downtimeNanos,
        long ownPreCopyNanos,
        long ownDowntimeNanos,
        long sourceCpuNanos,
        long destinationCpuNanos,
        long sourcePeakBytes,
        long destinationPeakBytes) {

    boolean isComplete() {
        return note.isEmpty();
    }

    /** One of a peer that did not get through. */
    static Measurement failed(Scenario scenario, String peer, int round, String note) {
        return new Measurement(scenario, peer, round, note, 0, -1, 0, -1, -1, -1, -1, -1, 0, 0);
    }
}
