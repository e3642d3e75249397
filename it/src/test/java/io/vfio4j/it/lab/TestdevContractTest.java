// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.it.contract.DeviceContract;
import io.vfio4j.it.contract.DeviceUnderTest;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.CsvSource;

/** The contract against the lab's own test device, with each set of migration flags, by cdev and by group. */
@Tag("lab")
@ParameterizedClass
@CsvSource({
    "full, CDEV, enomsg",
    "full, GROUP, enomsg",
    "nop2p, CDEV, enomsg",
    "nop2p, GROUP, enomsg",
    "noprecopy, CDEV, enomsg",
    "noprecopy, GROUP, enomsg",
    "minimal, CDEV, enomsg",
    "minimal, GROUP, enomsg",
    "full, CDEV, zero",
})
class TestdevContractTest extends DeviceContract {
    private final String type;
    private final Way way;
    private final String drained;

    TestdevContractTest(String type, Way way, String drained) {
        this.type = type;
        this.way = way;
        this.drained = drained;
    }

    @Override
    protected DeviceUnderTest create() throws Exception {
        Mdev mdev = new Mdev("vfio4j_testdev-" + type);
        mdev.attribute("drained", drained);
        return new Testdev(mdev, way);
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
