// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

/**
 * Hears of every arc that a device takes through a {@link VfioDevice}, and of its resets, inside and outside of
 * migrations.
 *
 * <p>Called on the thread that moved the device, when all about it is known, also in the downtime: return at once. It
 * must not move the device. What it throws is ignored.
 */
@FunctionalInterface
public interface DeviceStateListener {
    /** A listener that hears nothing. */
    DeviceStateListener NONE = change -> {};

    /**
     * An arc was taken, or failed, or the device was reset.
     *
     * @param change what happened
     */
    void onChange(DeviceStateChange change);
}
