// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.ffm.LibC;
import io.vfio4j.it.contract.DeviceUnderTest;
import java.io.IOException;

/** A mediated device of the lab under the contract. */
abstract class MdevUnderTest implements DeviceUnderTest {

    /** How the device is opened. */
    enum Way {
        CDEV,
        GROUP;

        DeviceAddress of(Mdev mdev) throws IOException {
            return this == CDEV ? mdev.cdev() : mdev.grouped();
        }
    }

    private final Mdev mdev;
    private final VfioDevice device;

    MdevUnderTest(Mdev mdev, Way way) throws IOException {
        this.mdev = mdev;
        this.device = VfioHost.system().open(way.of(mdev));
    }

    final Mdev mdev() {
        return mdev;
    }

    @Override
    public final VfioDevice device() {
        return device;
    }

    @Override
    public final LibC libc() {
        return LibC.system();
    }

    @Override
    public final void close() throws IOException {
        device.close();
        mdev.close();
    }
}
