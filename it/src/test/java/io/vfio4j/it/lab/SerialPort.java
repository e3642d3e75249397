// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.it.contract.DeviceContract;

/** The kernel's own migration sample: a serial port. It shows no digest, but its whole state can be looked at. */
final class SerialPort {
    /** Behind the stream's header of 24 bytes come the first port's eight registers; the last is for scratch. */
    private static final int SCRATCH_REGISTER_AT = 24 + 7;

    private SerialPort() {}

    /** Loads a state that no fresh port holds into one that runs, and returns it. */
    static byte[] giveState(VfioDevice device, int scratch) throws VfioException {
        byte[] state = stateOf(device);
        state[SCRATCH_REGISTER_AT] = (byte) scratch;
        DeviceContract.load(device, state);
        device.setState(MigrationState.RUNNING);
        return state;
    }

    /** Returns the state of one that runs or is stopped, and leaves it stopped. */
    static byte[] stateOf(VfioDevice device) throws VfioException {
        device.setState(MigrationState.STOP, MigrationState.RUNNING);
        return DeviceContract.stateOf(device);
    }
}
