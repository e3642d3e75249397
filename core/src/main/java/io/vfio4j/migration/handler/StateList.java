// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.migration.StateHandler.Description;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The names of a handler's parts with a number each, in the few short attributes that a description has.
 *
 * <p>Names that end in consecutive numbers, and have the same number each, take the room of one:
 * {@code vcpu{0..254}:3}. That is what a description has room for whatever the machine.
 */
final class StateList {
    /** How many parts there can be. */
    static final int MOST = 4096;

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,64}");
    private static final Pattern ENTRY =
            Pattern.compile("([A-Za-z0-9._-]{0,64})(?:\\{(\\d{1,9})\\.\\.(\\d{1,9})})?:(\\d{1,18})");
    private static final Pattern NUMBERED = Pattern.compile("(.*?)(0|[1-9]\\d{0,8})");

    private StateList() {}

    /** Tells whether a part can be called so. */
    static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    /**
     * Writes parts, in their order, into attributes of a description.
     *
     * @param key what the attributes are called, with a number behind it
     * @param most how many attributes may be used
     * @return the attributes; null when there is no room for so many different names
     */
    static @Nullable Map<String, String> write(String key, int most, Map<String, Long> parts) {
        Map<String, String> attributes = new LinkedHashMap<>();
        StringBuilder line = new StringBuilder();
        for (Run run : runs(parts)) {
            String entry = run.toString();
            if (!line.isEmpty() && line.length() + 1 + entry.length() > Description.MAX_LENGTH) {
                attributes.put(key + attributes.size(), line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(entry);
        }
        attributes.put(key + attributes.size(), line.toString());
        return attributes.size() > most ? null : attributes;
    }

    /**
     * Reads what a source has written. It is not trusted.
     *
     * @return the parts; null for what is no such list, has a name twice, or too many of them
     */
    static @Nullable Map<String, Long> read(String key, Map<String, String> attributes) {
        Map<String, Long> parts = new LinkedHashMap<>();
        for (int i = 0; attributes.containsKey(key + i); i++) {
            String line = attributes.getOrDefault(key + i, "");
            for (String entry : line.isEmpty() ? new String[0] : line.split(" ", -1)) {
                Matcher matcher = ENTRY.matcher(entry);
                if (!matcher.matches() || !addAll(parts, matcher)) {
                    return null;
                }
            }
        }
        return parts;
    }

    private static boolean addAll(Map<String, Long> parts, Matcher entry) {
        long number = Long.parseLong(entry.group(4));
        String from = entry.group(2);
        if (from == null) {
            return parts.size() < MOST && isName(entry.group(1)) && parts.put(entry.group(1), number) == null;
        }
        for (int i = Integer.parseInt(from); i <= Integer.parseInt(entry.group(3)); i++) {
            String name = entry.group(1) + i;
            if (parts.size() == MOST || !isName(name) || parts.put(name, number) != null) {
                return false;
            }
        }
        return true;
    }

    /** One name, or several that differ in the number at their end. */
    private record Run(String stem, int first, int last, long number) {
        private static final int NONE = -1;

        @Override
        public String toString() {
            if (first == NONE) {
                return stem + ":" + number;
            }
            return first == last ? stem + first + ":" + number : stem + "{" + first + ".." + last + "}:" + number;
        }
    }

    private static List<Run> runs(Map<String, Long> parts) {
        List<Run> runs = new ArrayList<>();
        parts.forEach((name, number) -> {
            Matcher matcher = NUMBERED.matcher(name);
            boolean numbered = matcher.matches();
            String stem = numbered ? matcher.group(1) : name;
            int index = numbered ? Integer.parseInt(matcher.group(2)) : Run.NONE;
            Run last = runs.isEmpty() ? null : runs.getLast();
            if (numbered
                    && last != null
                    && last.first != Run.NONE
                    && last.stem.equals(stem)
                    && last.number == number
                    && last.last + 1 == index) {
                runs.set(runs.size() - 1, new Run(stem, last.first, index, number));
            } else {
                runs.add(new Run(stem, index, index, number));
            }
        });
        return runs;
    }
}
