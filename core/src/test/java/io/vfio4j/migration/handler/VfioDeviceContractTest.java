// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/** A device whose driver a script stands in for; what changes is what can be read when it is stopped. */
class VfioDeviceContractTest extends HandlerContract {
    private static final int PRE_COPY = 30_000;
    private static final int STOP_COPY = 10_000;

    private final ScriptedLibC libc = new ScriptedLibC();

    private final class Device implements MachinePart {
        private final ScriptedDevice script;
        private final VfioDevice device;
        private final VfioDeviceHandler handler;

        Device(String type, String state) {
            script = new ScriptedDevice(libc).in(state);
            script.stopCopyLength = STOP_COPY;
            try {
                device = VfioDevice.adopt(libc, script.fd(), type, new DeviceIdentity(type, "scripted"));
            } catch (VfioException e) {
                script.close();
                throw new IllegalStateException(e);
            }
            handler = new VfioDeviceHandler("device0", device);
        }

        @Override
        public StateHandler handler() {
            return handler;
        }

        @Override
        public void change(Random random) {
            byte[] changed = script.stopCopyState.clone();
            changed[random.nextInt(changed.length)] = (byte) random.nextInt();
            script.stopCopyState = changed;
        }

        /** What was loaded is what a device has that is saved. */
        @Override
        public Object contents() {
            byte[] loaded = script.loaded;
            if (loaded != null && loaded.length == PRE_COPY + STOP_COPY) {
                script.preCopyState = Arrays.copyOf(loaded, PRE_COPY);
                script.stopCopyState = Arrays.copyOfRange(loaded, PRE_COPY, loaded.length);
                script.loaded = null;
            }
            return Arrays.hashCode(script.preCopyState) + " " + Arrays.hashCode(script.stopCopyState);
        }

        @Override
        public void close() {
            device.close();
            script.close();
        }
    }

    @Override
    protected LibC libc() {
        return libc;
    }

    @Override
    protected MachinePart filled(Random random) {
        Device device = new Device("mdev:script", "RUNNING");
        device.script.preCopyState = new byte[PRE_COPY];
        random.nextBytes(device.script.preCopyState);
        device.script.stopCopyState = new byte[STOP_COPY];
        random.nextBytes(device.script.stopCopyState);
        return device;
    }

    @Override
    protected MachinePart empty() {
        return new Device("mdev:script", "STOP");
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of(
                "the source's device is mdev:script (scripted), this one is mdev:other",
                () -> new Device("mdev:other", "STOP"));
    }
}
