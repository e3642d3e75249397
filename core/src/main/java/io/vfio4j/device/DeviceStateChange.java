// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import org.jspecify.annotations.Nullable;

/**
 * An arc that a device was asked to take, and what came of it. Where it failed, it is told once, after the recovery:
 * {@code from} is where the one before led to.
 *
 * @param device the device's name
 * @param from the state that it was last seen in; null when nobody has asked yet, or it could not be told
 * @param target where it was to go; RUNNING for a reset
 * @param to where it is now, read back where the arc failed; null where that cannot be told
 * @param nanos how long the kernel took for the arc or the reset, in nanoseconds; without a recovery
 * @param reset whether it was reset, be that asked for or the only recovery that was left: the state that it held is
 *     lost
 * @param failure what the caller gets, when it failed; null when it did not
 */
public record DeviceStateChange(
        String device,
        @Nullable MigrationState from,
        MigrationState target,
        @Nullable MigrationState to,
        long nanos,
        boolean reset,
        @Nullable VfioException failure) {}
