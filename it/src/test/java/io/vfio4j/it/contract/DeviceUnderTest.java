// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.contract;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.LibC;

/** A device that the contract is checked against, opened and in RUNNING. Closing it takes it away altogether. */
public interface DeviceUnderTest extends AutoCloseable {

    /** The open device. */
    VfioDevice device();

    /** The system calls in which the device exists. */
    LibC libc();

    /** A digest of the state that it holds; for a device that shows none, of the state that it saves in STOP. */
    String digest() throws Exception;

    @Override
    void close() throws Exception;
}
