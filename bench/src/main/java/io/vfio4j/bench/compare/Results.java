// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import com.google.gson.Gson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A file of JSON lines: facts of the runs, and their measurements. */
final class Results {
    private static final Gson GSON = new Gson();

    /** A line: one of both. */
    private record Line(
            @Nullable Map<String, String> facts, @Nullable Measurement measurement) {}

    private final Path file;

    Results(Path file) {
        this.file = file;
    }

    void add(Measurement measurement) throws IOException {
        append(new Line(null, measurement));
    }

    /** Notes what is true of all measurements from here on. */
    void facts(Map<String, String> facts) throws IOException {
        append(new Line(facts, null));
    }

    private void append(Line line) throws IOException {
        Files.writeString(file, GSON.toJson(line) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    List<Measurement> measurements() throws IOException {
        List<Measurement> all = new ArrayList<>();
        for (Line line : lines()) {
            if (line.measurement != null) {
                all.add(line.measurement);
            }
        }
        return all;
    }

    /** What was noted, each as "name: value", in order. */
    List<String> facts() throws IOException {
        List<String> all = new ArrayList<>();
        for (Line line : lines()) {
            if (line.facts != null) {
                line.facts.forEach((name, value) -> all.add(name + ": " + value));
            }
        }
        return all.stream().distinct().toList();
    }

    private List<Line> lines() throws IOException {
        List<Line> lines = new ArrayList<>();
        for (String text : Files.readAllLines(file)) {
            lines.add(GSON.fromJson(text, Line.class));
        }
        return lines;
    }
}
