// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Devices that are open together, all of them or none, and take part in a migration in their order. */
final class DeviceSet implements AutoCloseable {
    private final List<Devices.Opened> devices = new ArrayList<>();

    private DeviceSet() {}

    static DeviceSet open(Devices from, List<DeviceName> names) throws IOException {
        DeviceSet set = new DeviceSet();
        boolean all = false;
        try {
            for (DeviceName name : names) {
                set.devices.add(from.open(name));
            }
            all = true;
            return set;
        } finally {
            if (!all) {
                set.close();
            }
        }
    }

    int size() {
        return devices.size();
    }

    Devices.Opened get(int index) {
        return devices.get(index);
    }

    List<VfioDeviceHandler> handlers() {
        return VfioDeviceHandler.inOrder(
                devices.stream().map(Devices.Opened::vfio).toArray(VfioDevice[]::new));
    }

    /** Tells the state of each, in the result and for when the command fails. */
    void tellStates(Result result, String side) {
        for (int i = 0; i < devices.size(); i++) {
            String state = devices.get(i).state();
            result.deviceField(i, side + "State", state);
            result.detail("the " + side + " device "
                    + (devices.size() == 1 ? "" : devices.get(i).name() + " ") + "is in state " + state);
        }
    }

    /** Tells the digest of each that is emulated. */
    void tellDigests(Result result) {
        boolean first = true;
        for (int i = 0; i < devices.size(); i++) {
            String digest = devices.get(i).digest();
            result.deviceField(i, "digest", digest);
            if (digest != null) {
                if (first) {
                    result.line("");
                }
                result.line((first ? "digest       " : "             ")
                        + digest
                        + (size() == 1 ? "" : "  " + Result.nameOf(i)));
                first = false;
            }
        }
    }

    @Override
    public void close() {
        devices.reversed().forEach(Devices.Opened::close);
    }
}
