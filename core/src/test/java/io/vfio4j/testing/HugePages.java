// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Pages of hugetlbfs that a test has taken from the host, until they are given back. */
public final class HugePages implements AutoCloseable {
    /** What memory of them is mapped with: {@code MAP_HUGETLB | MAP_HUGE_2MB}. */
    public static final int MAP_FLAGS = 0x40000 | 21 << 26;

    /** How large one is, in bytes. */
    public static final int BYTES = 2 << 20;

    private static final Path RESERVED = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

    private final long before;

    private HugePages(long before) {
        this.before = before;
    }

    /**
     * Takes some, or has the test skipped where that cannot be.
     *
     * @param count how many
     * @return what gives them back
     * @throws IOException when the host does not say how many it has, or does not take a number
     */
    public static HugePages take(long count) throws IOException {
        assumeTrue(Files.isWritable(RESERVED), RESERVED + " cannot be written: no huge pages can be taken");
        HugePages taken = new HugePages(reserved());
        long needed = taken.before + count;
        Files.writeString(RESERVED, Long.toString(needed));
        boolean enough = reserved() >= needed;
        if (!enough) {
            taken.close();
        }
        assumeTrue(enough, "the host's memory is too scattered for " + count + " huge pages");
        return taken;
    }

    private static long reserved() throws IOException {
        return Long.parseLong(Files.readString(RESERVED).strip());
    }

    @Override
    public void close() throws IOException {
        Files.writeString(RESERVED, Long.toString(before));
    }
}
