// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.testing.LeakCheck;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class FirstAndTenthTest {
    @Test
    void shouldMigrateTenTimes() throws Exception {
        assertThat(FirstAndTenth.downtimes("emulated:size=1MiB").boxed())
                .hasSize(10)
                .allMatch(nanos -> nanos > 0);
    }

    @Test
    void shouldDivideTheFirstByTheTenth() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        FirstAndTenth.report(
                List.of(
                        new long[] {3_000_000, 1, 1, 1, 1, 1, 1, 1, 1, 2_000_000},
                        new long[] {4_000_000, 1, 1, 1, 1, 1, 1, 1, 1, 2_000_000},
                        new long[] {6_000_000, 1, 1, 1, 1, 1, 1, 1, 1, 1_000_000}),
                new PrintStream(bytes, true, StandardCharsets.UTF_8));

        assertThat(bytes.toString(StandardCharsets.UTF_8))
                .contains("migration  1: downtime   4.000 ms (median of 3 JVMs)")
                .endsWith("first / tenth: 2.00 of the medians; of each JVM 2.00 (1.50...6.00)\n");
    }
}
