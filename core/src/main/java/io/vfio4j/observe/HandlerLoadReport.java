// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/**
 * What one handler has done in an incoming migration, so far or in the end. Times are 0 until the step is done.
 *
 * @param name the handler's name
 * @param bytes how many bytes of its state were loaded
 * @param rehearsalNanos how long its rehearsal of the arcs took, before any state came, in nanoseconds
 * @param loadNanos how long {@code RESUMING → STOP} took, with the driver's check, in nanoseconds
 * @param runningP2pNanos how long the first step up took, {@code → RUNNING_P2P}, in nanoseconds
 * @param runningNanos how long the second step up took, {@code → RUNNING}, in nanoseconds
 */
public record HandlerLoadReport(
        String name, long bytes, long rehearsalNanos, long loadNanos, long runningP2pNanos, long runningNanos) {}
