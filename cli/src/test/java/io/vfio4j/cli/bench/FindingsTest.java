// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.cli.bench.CopyReport.Moved;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.MigrationFeatures;
import io.vfio4j.observe.Downtime;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class FindingsTest {
    private static final long MS = 1_000_000;
    private static final long SECOND = 1000 * MS;
    private static final long MIB = 1 << 20;

    private static Findings findings(long... drainNanos) {
        CopyReport slow = copy(4096, 100 * MIB);
        List<RunReport> runs = LongStream.of(drainNanos)
                .mapToObj(drain -> new RunReport(
                        MIB, MIB, 1, MIB, -1, new Downtime(0, MS, 2 * MS, drain, 4 * MS, 5 * MS), new Timeline(0)))
                .toList();
        return new Findings(
                "device",
                "peer",
                new DeviceIdentity("type", "driver"),
                new MigrationFeatures(7),
                new ArcTimes(),
                List.of(slow, copy(1 << 20, 400 * MIB), copy(1 << 20, 300 * MIB), copy(1 << 20, 900 * MIB)),
                slow,
                null,
                Duration.ofMillis(20),
                runs);
    }

    private static CopyReport copy(int chunk, long bytes) {
        return new CopyReport(chunk, new Moved(bytes, SECOND, 0), new Moved(0, 0, 0), 0, 0, 0, 0, new Timeline(0));
    }

    @Test
    void shouldTakeTheMedianOfTheFastestChunkSizeAsThroughput() {
        assertThat(findings(MS).throughput()).isEqualTo(400 * MIB);
    }

    @Test
    void shouldHaveTheDowntimeOfEachRunAndItsParts() {
        Findings findings = findings(3 * MS, 8 * MS, 9 * MS, 100 * MS);

        assertThat(findings.downtime().getTotalCount()).isEqualTo(4);
        assertThat(findings.downtime().valuesAreEquivalent(findings.downtime().getMinValue(), 15 * MS))
                .isTrue();
        assertThat(findings.downtime(DowntimePart.DRAIN)
                        .valuesAreEquivalent(
                                findings.downtime(DowntimePart.DRAIN).getValueAtPercentile(50), 8 * MS))
                .isTrue();
        assertThat(findings.downtime(DowntimePart.STOP_VM).getMaxValue()).isZero();
        assertThat(findings.longestDowntime()).isEqualTo(112 * MS);
    }

    @Test
    void shouldCountTheRunsThatKeptTheLimit() {
        // 15, 20 and 20.000001 ms
        assertThat(findings(3 * MS, 8 * MS, 8 * MS + 1).runsWithinLimit()).isEqualTo(2);
    }

    @Test
    void shouldHaveAllPartsOfTheDowntime() {
        Downtime downtime = new Downtime(1, 2, 4, 8, 16, 32);

        assertThat(List.of(DowntimePart.values()).stream()
                        .mapToLong(part -> part.nanos(downtime))
                        .sum())
                .isEqualTo(downtime.total());
    }
}
