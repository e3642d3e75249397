// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.contract;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract against the emulator, with each set of migration flags and both ways to say that it is drained. */
class EmulatorContractTest {

    @Nested
    class Full extends Suite {
        Full() {
            super("");
        }
    }

    @Nested
    class WithoutP2p extends Suite {
        WithoutP2p() {
            super(",p2p=off");
        }
    }

    @Nested
    class WithoutPreCopy extends Suite {
        WithoutPreCopy() {
            super(",precopy=off");
        }
    }

    @Nested
    class Minimal extends Suite {
        Minimal() {
            super(",precopy=off,p2p=off");
        }
    }

    @Nested
    class SayingZeroWhenDrained extends Suite {
        SayingZeroWhenDrained() {
            super(",drained=zero");
        }
    }

    @Nested
    class ReadingAndWritingShort extends Suite {
        ReadingAndWritingShort() {
            super(",short-read=10007,short-write=4099");
        }
    }

    /** The suite for one kind of device. */
    @ExtendWith(LeakCheck.class)
    abstract static class Suite extends DeviceContract {
        private final String features;
        private EmulatedKernel kernel = new EmulatedKernel(LibC.system(), () -> 0);

        Suite(String features) {
            this.features = features;
        }

        @BeforeEach
        void boot() {
            kernel = new EmulatedKernel(LibC.system(), () -> 0);
        }

        @AfterEach
        void shutDown() {
            kernel.close();
        }

        @Override
        protected DeviceUnderTest create() throws Exception {
            EmulatedDevice device = kernel.add(EmulatedDeviceSpec.parse("emulated:size=4MiB" + features));
            return new Emulated(kernel, device, device.open());
        }
    }

    private record Emulated(EmulatedKernel kernel, EmulatedDevice emulated, VfioDevice device)
            implements DeviceUnderTest {
        @Override
        public LibC libc() {
            return kernel;
        }

        @Override
        public String digest() {
            return HexFormat.of().toHexDigits(emulated.digest());
        }

        @Override
        public void close() {
            device.close();
        }
    }
}
