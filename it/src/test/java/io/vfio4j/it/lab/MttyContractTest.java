// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

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
        private static final AtomicInteger NEXT_SCRATCH = new AtomicInteger(1);

        Mtty(Mdev mdev, Way way) throws IOException {
            super(mdev, way);
            // Each has a state of its own, as two fresh ones hold the same.
            SerialPort.giveState(device(), NEXT_SCRATCH.getAndIncrement());
        }

        /** It shows no digest, but its whole state is so small that it can be compared. */
        @Override
        public String digest() throws VfioException {
            return HexFormat.of().formatHex(SerialPort.stateOf(device()));
        }
    }
}
