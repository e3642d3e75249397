// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/**
 * What a migration has spent in one phase, so far or in the end. A phase that it came back to is counted as one.
 *
 * @param phase the phase
 * @param nanos how long the migration has been in it, in nanoseconds
 * @param bytes how many bytes of state went or came meanwhile
 */
public record PhaseReport(Phase phase, long nanos, long bytes) {}
