// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.it.contract.DeviceContract;
import io.vfio4j.it.contract.DeviceUnderTest;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import java.io.IOException;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** The contract against the lab's own test device, with each set of migration flags, by cdev and by group. */
@Tag("lab")
class TestdevContractTest {

    @Nested
    class FullByCdev extends Suite {
        FullByCdev() {
            super("full", Way.CDEV);
        }
    }

    @Nested
    class FullByGroup extends Suite {
        FullByGroup() {
            super("full", Way.GROUP);
        }
    }

    @Nested
    class WithoutP2pByCdev extends Suite {
        WithoutP2pByCdev() {
            super("nop2p", Way.CDEV);
        }
    }

    @Nested
    class WithoutPreCopyByCdev extends Suite {
        WithoutPreCopyByCdev() {
            super("noprecopy", Way.CDEV);
        }
    }

    @Nested
    class MinimalByGroup extends Suite {
        MinimalByGroup() {
            super("minimal", Way.GROUP);
        }
    }

    @Nested
    class SayingZeroWhenDrained extends Suite {
        SayingZeroWhenDrained() {
            super("full", Way.CDEV);
        }

        @Override
        protected DeviceUnderTest create() throws Exception {
            Testdev made = (Testdev) super.create();
            made.mdev().attribute("drained", "zero");
            return made;
        }
    }

    /** The suite for one type and way. */
    abstract static class Suite extends DeviceContract {
        private final String type;
        private final Way way;

        Suite(String type, Way way) {
            this.type = type;
            this.way = way;
        }

        @Override
        protected DeviceUnderTest create() throws Exception {
            return new Testdev(new Mdev("vfio4j_testdev-" + type), way);
        }
    }

    private static final class Testdev extends MdevUnderTest {
        Testdev(Mdev mdev, Way way) throws IOException {
            super(mdev, way);
        }

        @Override
        public String digest() throws IOException {
            return mdev().attribute("digest");
        }
    }
}
