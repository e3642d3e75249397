// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogWriter;

/** Writes histograms of nanoseconds as HdrHistogram's tools read them: a log with a tag for each. */
public final class HistogramLog {
    private HistogramLog() {}

    /**
     * Writes a log.
     *
     * @param file where to; it must not exist
     * @param comment one line that says what it is
     * @param begin when the measurement began
     * @param end when it ended
     * @param histograms by their tags, which have neither spaces nor commas
     * @throws IOException when it cannot be written
     */
    public static void write(Path file, String comment, Instant begin, Instant end, Map<String, Histogram> histograms)
            throws IOException {
        // The writer's stream would swallow what the file says, such as that the disk is full.
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        try (PrintStream out = new PrintStream(log, false, StandardCharsets.UTF_8)) {
            HistogramLogWriter writer = new HistogramLogWriter(out);
            writer.outputComment("[" + comment + "]");
            writer.outputLogFormatVersion();
            writer.outputStartTime(begin.toEpochMilli());
            writer.setBaseTime(begin.toEpochMilli());
            writer.outputLegend();
            histograms.forEach((tag, histogram) -> {
                Histogram tagged = histogram.copy();
                tagged.setTag(tag);
                tagged.setStartTimeStamp(begin.toEpochMilli());
                tagged.setEndTimeStamp(end.toEpochMilli());
                writer.outputIntervalHistogram(tagged);
            });
        }
        Files.write(file, log.toByteArray(), StandardOpenOption.CREATE_NEW);
    }
}
