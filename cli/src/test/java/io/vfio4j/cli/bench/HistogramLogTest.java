// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HistogramLogTest {
    private static final Instant BEGIN = Instant.ofEpochMilli(1_700_000_000_000L);

    @TempDir
    private Path folder;

    private static Histogram histogram(long... values) {
        Histogram histogram = new Histogram(3);
        for (long value : values) {
            histogram.recordValue(value);
        }
        return histogram;
    }

    @Test
    void shouldBeReadByTheToolsOfHdrHistogramWithATagForEach() throws Exception {
        Map<String, Histogram> histograms = new LinkedHashMap<>();
        histograms.put("RUNNING-PRE_COPY", histogram(1_000, 2_000_000, 30_000_000_000L));
        histograms.put("stop-VM", histogram(0));
        Path file = folder.resolve("arcs.hlog");

        HistogramLog.write(file, "some device", BEGIN, BEGIN.plusSeconds(7), histograms);

        assertThat(Files.readAllLines(file).getFirst()).isEqualTo("#[some device]");
        try (HistogramLogReader reader = new HistogramLogReader(file.toFile())) {
            for (Map.Entry<String, Histogram> written : histograms.entrySet()) {
                EncodableHistogram read = reader.nextIntervalHistogram();
                assertThat(read.getTag()).isEqualTo(written.getKey());
                assertThat(read).isEqualTo(written.getValue());
                assertThat(read.getStartTimeStamp()).isEqualTo(BEGIN.toEpochMilli());
                assertThat(read.getEndTimeStamp() - read.getStartTimeStamp()).isEqualTo(7_000);
            }
            assertThat(reader.nextIntervalHistogram()).isNull();
        }
    }

    @Test
    void shouldOverwriteNothing() throws Exception {
        Path file = Files.writeString(folder.resolve("arcs.hlog"), "mine");

        assertThatThrownBy(() -> HistogramLog.write(file, "some device", BEGIN, BEGIN, Map.of()))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThat(file).hasContent("mine");
    }
}
