// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads JSON strictly, to see whether what the command wrote is some. */
final class TestJson {
    private final String text;
    private int at;

    private TestJson(String text) {
        this.text = text;
    }

    /** Reads a text that is one object and nothing else but white space. */
    static Map<String, Object> object(String text) {
        TestJson reader = new TestJson(text);
        Map<String, Object> object = new LinkedHashMap<>();
        if (reader.value() instanceof Map<?, ?> map) {
            map.forEach((key, value) -> object.put((String) key, value));
        } else {
            throw reader.error("an object");
        }
        reader.space();
        if (reader.at != text.length()) {
            throw reader.error("the end");
        }
        return object;
    }

    private @Nullable Object value() {
        space();
        char c = peek();
        if (c == '{') {
            return map();
        }
        if (c == '[') {
            return list();
        }
        if (c == '"') {
            return string();
        }
        int from = at;
        while (at < text.length() && "-+.0123456789eEtruefalsn".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String word = text.substring(from, at);
        return switch (word) {
            case "true" -> true;
            case "false" -> false;
            case "null" -> null;
            default -> {
                if (!word.matches("-?(0|[1-9][0-9]*)")) {
                    throw error("a value");
                }
                yield Long.valueOf(word);
            }
        };
    }

    private Map<String, @Nullable Object> map() {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        expect('{');
        space();
        boolean more = peek() != '}';
        while (more) {
            space();
            String key = string();
            space();
            expect(':');
            if (map.containsKey(key)) {
                throw error("no second " + key);
            }
            map.put(key, value());
            space();
            more = peek() == ',';
            if (more) {
                at++;
            }
        }
        expect('}');
        return map;
    }

    private List<@Nullable Object> list() {
        List<@Nullable Object> list = new ArrayList<>();
        expect('[');
        space();
        boolean more = peek() != ']';
        while (more) {
            list.add(value());
            space();
            more = peek() == ',';
            if (more) {
                at++;
            }
        }
        expect(']');
        return list;
    }

    private String string() {
        expect('"');
        StringBuilder read = new StringBuilder();
        while (peek() != '"') {
            char c = text.charAt(at++);
            if (c < ' ') {
                throw error("no control character in a text");
            }
            if (c == '\\') {
                char escaped = text.charAt(at++);
                switch (escaped) {
                    case '"', '\\', '/' -> read.append(escaped);
                    case 'n' -> read.append('\n');
                    case 'u' -> {
                        read.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                        at += 4;
                    }
                    default -> throw error("an escape");
                }
            } else {
                read.append(c);
            }
        }
        expect('"');
        return read.toString();
    }

    private void space() {
        while (at < text.length() && " \n\r\t".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw error("more");
        }
        return text.charAt(at);
    }

    private void expect(char c) {
        if (peek() != c) {
            throw error("'" + c + "'");
        }
        at++;
    }

    private AssertionError error(String expected) {
        return new AssertionError("at " + at + " " + expected + " was expected in: " + text);
    }
}
