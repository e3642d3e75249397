// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.observe.Downtime;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;
import org.junit.jupiter.api.Test;

class DowntimeHistogramsTest {
    private static final long BEGIN_MILLIS = 1_700_000_000_000L;

    private final DowntimeHistograms histograms = new DowntimeHistograms(BEGIN_MILLIS);

    private byte[] log() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        histograms.writeLog(new PrintStream(bytes, true, StandardCharsets.US_ASCII), BEGIN_MILLIS + 1_500);
        return bytes.toByteArray();
    }

    @Test
    void shouldWriteALogThatHdrHistogramReads() {
        histograms.record(new Downtime(1_000, 2_000, 3_000, 4_000, 5_000, 6_000));
        histograms.record(new Downtime(10_000, 20_000, 30_000, 40_000, 50_000, 60_000));

        Map<String, Long> largest = new LinkedHashMap<>();
        try (HistogramLogReader reader = new HistogramLogReader(new ByteArrayInputStream(log()))) {
            while (reader.nextIntervalHistogram() instanceof Histogram next) {
                assertThat(next.getTotalCount()).isEqualTo(2);
                assertThat(next.getStartTimeStamp()).isEqualTo(BEGIN_MILLIS);
                largest.put(next.getTag(), next.getMaxValue());
            }
        }

        assertThat(largest).containsOnlyKeys("stop-vm", "quiesce", "stop-copy", "drain", "load", "resume", "downtime");
        assertThat(largest.get("stop-copy")).isBetween(30_000L, 30_030L);
        assertThat(largest.get("downtime")).isBetween(210_000L, 210_210L);
    }

    @Test
    void shouldSummariseEachPart() {
        histograms.record(new Downtime(0, 0, 0, 0, 1_500_000, 0));

        assertThat(histograms.summary().lines()).hasSize(8).first().asString().matches("us +p50 +p90 +p99 +max");
        assertThat(histograms.summary().lines())
                .anyMatch(line -> line.matches("load( +150[01]\\.[0-9]){4}"))
                .anyMatch(line -> line.matches("stop-vm( +0\\.0){4}"));
    }

    @Test
    void shouldCountWhatIsBeyondTheRangeAsItsEnd() {
        histograms.record(new Downtime(0, 0, 0, 0, 0, Long.MAX_VALUE));

        assertThat(histograms.summary()).containsPattern("resume +6[0-9]{7}\\.");
    }

    @Test
    void shouldNameALogByItsDevice() {
        assertThat(DowntimeDistribution.logOf("/tmp/run", "emulated:size=64MiB,dirty=50MiB/s"))
                .isEqualTo(Path.of("/tmp/run.downtime-emulated-size-64MiB-dirty-50MiB-s.hlog"));
        assertThat(DowntimeDistribution.logOf("/tmp/run", "/dev/vfio/devices/vfio0"))
                .isEqualTo(Path.of("/tmp/run.downtime--dev-vfio-devices-vfio0.hlog"));
    }
}
