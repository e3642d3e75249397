// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/**
 * How far a migration has come, at one moment.
 *
 * @param phase where it is
 * @param round the round of pre-copy, from 1; 0 before
 * @param bytes how many bytes of state have gone or come
 * @param bytesPerSecond at what rate of late, while data moved
 * @param remainingBytes how many the source believes to be left; -1 while unknown
 * @param predictedDowntimeNanos how long the device would be stopped if it were now; -1 while unknown
 */
public record MigrationProgress(
        Phase phase, int round, long bytes, long bytesPerSecond, long remainingBytes, long predictedDowntimeNanos) {}
