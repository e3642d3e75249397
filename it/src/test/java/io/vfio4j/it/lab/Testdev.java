// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import java.io.IOException;

/** A test device that is open: made when constructed, closed and removed when closed. */
final class Testdev implements AutoCloseable {
    final Mdev mdev;
    final VfioDevice device;

    /** Of what it held when it was made. */
    final String digestBefore;

    /** Makes a device of a type such as {@code full}. */
    Testdev(String type, long size) throws IOException {
        mdev = new Mdev("vfio4j_testdev-" + type);
        mdev.attribute("size", Long.toString(size));
        device = VfioHost.system().open(mdev.cdev());
        digestBefore = mdev.attribute("digest");
    }

    String name() {
        return device.name();
    }

    String digest() throws IOException {
        return mdev.attribute("digest");
    }

    /** Fails unless it is in this state, and holds what it held in the beginning, without having been reset. */
    void assertUntouched(MigrationState state) throws IOException {
        assertThat(device.state()).isEqualTo(state);
        assertThat(digest()).isEqualTo(digestBefore);
        assertThat(mdev.log()).doesNotContain("reset");
    }

    /** Fails unless a reset has taken away what it held of somebody else's state. */
    void assertReset() throws IOException {
        assertThat(device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(mdev.log()).contains("reset");
    }

    @Override
    public void close() throws IOException {
        device.close();
        mdev.close();
    }

    @Override
    public String toString() {
        return name();
    }
}
