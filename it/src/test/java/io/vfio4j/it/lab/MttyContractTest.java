// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioException;
import io.vfio4j.it.contract.DeviceContract;
import io.vfio4j.it.contract.DeviceUnderTest;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import java.io.IOException;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** The contract against the kernel's own migration sample, a serial port, by cdev and by group. */
@Tag("lab")
class MttyContractTest {

    @Nested
    class TwoPortsByCdev extends DeviceContract {
        @Override
        protected DeviceUnderTest create() throws Exception {
            return new Mtty(new Mdev("mtty-2"), Way.CDEV);
        }
    }

    @Nested
    class OnePortByGroup extends DeviceContract {
        @Override
        protected DeviceUnderTest create() throws Exception {
            return new Mtty(new Mdev("mtty-1"), Way.GROUP);
        }
    }

    private static final class Mtty extends MdevUnderTest {
        /** Behind the stream's header of 24 bytes come the first port's eight registers; the last is for scratch. */
        private static final int SCRATCH_REGISTER_AT = 24 + 7;

        private static final AtomicInteger NEXT_SCRATCH = new AtomicInteger(1);

        Mtty(Mdev mdev, Way way) throws IOException {
            super(mdev, way);
            writeScratchRegister(NEXT_SCRATCH.getAndIncrement());
        }

        /** Gives each device a state of its own, as two fresh ones hold the same. */
        private void writeScratchRegister(int value) throws VfioException {
            device().setState(MigrationState.STOP, MigrationState.RUNNING);
            byte[] state = DeviceContract.stateOf(device());
            state[SCRATCH_REGISTER_AT] = (byte) value;
            DeviceContract.load(device(), state);
            device().setState(MigrationState.RUNNING);
        }

        /** It shows no digest, but its whole state is so small that it can be compared. */
        @Override
        public String digest() throws VfioException {
            device().setState(MigrationState.STOP, MigrationState.RUNNING);
            return HexFormat.of().formatHex(DeviceContract.stateOf(device()));
        }
    }
}
