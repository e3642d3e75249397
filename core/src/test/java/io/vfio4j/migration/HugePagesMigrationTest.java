// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** Guest memory in pages of hugetlbfs, of which the test takes some from the host for its time. */
class HugePagesMigrationTest extends GuestMemoryMigrationTest {
    /** {@code MAP_HUGETLB | MAP_HUGE_2MB}. */
    private static final int PAGES = 0x40000 | 21 << 26;

    private static final Path RESERVED = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

    /** Both sides' memory of 24 MiB. */
    private static final int NEEDED = 24;

    private static int before;

    @BeforeAll
    static void reserve() throws IOException {
        assumeTrue(Files.isWritable(RESERVED), RESERVED + " cannot be written: no huge pages can be taken");
        before = count();
        Files.writeString(RESERVED, Integer.toString(before + NEEDED));
        assumeTrue(count() >= before + NEEDED, "the host's memory is too scattered for " + NEEDED + " huge pages");
    }

    @AfterAll
    static void giveBack() throws IOException {
        if (Files.isWritable(RESERVED)) {
            Files.writeString(RESERVED, Integer.toString(before));
        }
    }

    private static int count() throws IOException {
        return Integer.parseInt(Files.readString(RESERVED).strip());
    }

    @Override
    int pages() {
        return PAGES;
    }
}
