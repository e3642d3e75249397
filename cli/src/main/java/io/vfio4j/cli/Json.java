// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes JSON: objects (maps, in their order), arrays, texts, numbers, truth values and null. */
final class Json {
    private Json() {}

    static String write(@Nullable Object value) {
        StringBuilder to = new StringBuilder();
        write(value, to);
        return to.toString();
    }

    private static void write(@Nullable Object value, StringBuilder to) {
        switch (value) {
            case null -> to.append("null");
            case Number number -> to.append(number);
            case Boolean truth -> to.append(truth);
            case Map<?, ?> map -> {
                to.append('{');
                String separator = "";
                for (Map.Entry<?, ?> entry : map.entrySet()) {
                    to.append(separator);
                    writeText(String.valueOf(entry.getKey()), to);
                    to.append(':');
                    write(entry.getValue(), to);
                    separator = ",";
                }
                to.append('}');
            }
            case Iterable<?> elements -> {
                to.append('[');
                String separator = "";
                for (Object element : elements) {
                    to.append(separator);
                    write(element, to);
                    separator = ",";
                }
                to.append(']');
            }
            default -> writeText(value.toString(), to);
        }
    }

    private static void writeText(String text, StringBuilder to) {
        to.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> to.append("\\\"");
                case '\\' -> to.append("\\\\");
                case '\n' -> to.append("\\n");
                default -> {
                    if (c < ' ' || c == 0x7f) {
                        to.append(String.format("\\u%04x", (int) c));
                    } else {
                        to.append(c);
                    }
                }
            }
        }
        to.append('"');
    }
}
