// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.testing.HugePages;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** Guest memory in pages of hugetlbfs, of which the test takes some from the host for its time. */
class HugePagesMigrationTest extends GuestMemoryMigrationTest {
    /** Both sides' memory of 24 MiB. */
    private static final int NEEDED = 24;

    private static @Nullable HugePages taken;

    @BeforeAll
    static void take() throws IOException {
        taken = HugePages.take(NEEDED);
    }

    @AfterAll
    static void giveBack() throws IOException {
        if (taken != null) {
            taken.close();
        }
    }

    @Override
    int pages() {
        return HugePages.MAP_FLAGS;
    }
}
