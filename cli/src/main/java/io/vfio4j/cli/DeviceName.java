// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.emulator.EmulatedDeviceSpec;

/** A device as it is named on the command line. */
sealed interface DeviceName {

    /** A device of this host. */
    record Real(DeviceAddress address) implements DeviceName {
        @Override
        public String toString() {
            return address.toString();
        }
    }

    /** A device that this process emulates. */
    record Emulated(EmulatedDeviceSpec spec) implements DeviceName {
        @Override
        public String toString() {
            return spec.toString();
        }
    }

    static DeviceName parse(String text) {
        if (EmulatedDeviceSpec.isSpec(text)) {
            return new Emulated(EmulatedDeviceSpec.parse(text));
        }
        try {
            return new Real(DeviceAddress.parse(text));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' names no VFIO device; use emulated:size=SIZE,dirty=RATE, " + DeviceAddress.FORMS,
                    e);
        }
    }
}
