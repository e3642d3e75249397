// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** What the C compiler says of structs and constants: the committed files, read. */
final class GoldenValues {
    /** A struct: its size, alignment, and fields by name in C order. */
    record GoldenStruct(long size, long alignment, Map<String, GoldenField> fields) {}

    /** A field; a flexible array has size 0 and the type {@code flexible}. */
    record GoldenField(long offset, long size, String type) {}

    private final Map<String, GoldenStruct> structs = new HashMap<>();
    private final Map<String, Long> values = new HashMap<>();

    private GoldenValues() {}

    static GoldenValues read(String... resources) {
        GoldenValues golden = new GoldenValues();
        for (String resource : resources) {
            try (InputStream stream =
                            Objects.requireNonNull(GoldenValues.class.getResourceAsStream(resource), resource);
                    BufferedReader reader = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                reader.lines().filter(line -> !line.startsWith("#")).forEach(golden::add);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return golden;
    }

    Map<String, GoldenStruct> structs() {
        return structs;
    }

    Map<String, Long> values() {
        return values;
    }

    private void add(String line) {
        String[] columns = line.split("\t", -1);
        switch (columns[0]) {
            case "struct" ->
                structs.put(
                        columns[1],
                        new GoldenStruct(
                                number(columns[2], "size="), number(columns[3], "align="), new LinkedHashMap<>()));
            case "field" -> {
                int dot = columns[1].indexOf('.');
                GoldenStruct struct = Objects.requireNonNull(structs.get(columns[1].substring(0, dot)), line);
                boolean flexible = columns[3].startsWith("flexible-array");
                struct.fields.put(
                        columns[1].substring(dot + 1),
                        new GoldenField(
                                number(columns[2], "offset="),
                                flexible ? 0 : number(columns[3], "size="),
                                flexible ? "flexible" : columns[4].substring("type=".length())));
            }
            case "value" -> {
                Long before = values.put(columns[1], Long.decode(columns[2]));
                if (before != null && !before.equals(Long.decode(columns[2]))) {
                    throw new IllegalStateException("the golden files disagree on " + columns[1]);
                }
            }
            default -> throw new IllegalStateException("not a line of a golden file: " + line);
        }
    }

    private static long number(String column, String prefix) {
        if (!column.startsWith(prefix)) {
            throw new IllegalStateException("expected " + prefix + " in " + column);
        }
        return Long.parseLong(column.substring(prefix.length()));
    }
}
