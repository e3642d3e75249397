// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.contract;

import io.vfio4j.device.MigrationState;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The state machine as it was recorded on Linux for each set of migration flags: {@code fsm-matrix.txt}. */
final class FsmOracle {
    private static final Pattern FLAGS = Pattern.compile("migration_flags=(\\d+)");
    private static final Pattern ARC =
            Pattern.compile("([A-Z0-9_]+)\\s+->\\s+([A-Z0-9_]+)\\s+ret=(-?\\d+) fd=(\\S+) now=([A-Z0-9_]+)");

    private final Map<Long, List<Arc>> byFlags;

    private FsmOracle(Map<Long, List<Arc>> byFlags) {
        this.byFlags = byFlags;
    }

    /**
     * One recorded SET.
     *
     * @param from the state before
     * @param to the state asked for
     * @param allowed whether the kernel did it
     * @param after the state thereafter
     */
    record Arc(MigrationState from, MigrationState to, boolean allowed, MigrationState after) {}

    List<Arc> arcs(long flags) {
        return byFlags.getOrDefault(flags, List.of());
    }

    static FsmOracle load() {
        Map<Long, List<Arc>> byFlags = new TreeMap<>();
        List<Arc> current = new ArrayList<>();
        for (String line : lines()) {
            Matcher flags = FLAGS.matcher(line);
            if (flags.matches()) {
                current = byFlags.computeIfAbsent(Long.valueOf(flags.group(1)), key -> new ArrayList<>());
            }
            Matcher arc = ARC.matcher(line);
            // Numbers that are no state cannot be asked for through the library.
            if (arc.matches() && !Character.isDigit(arc.group(2).charAt(0))) {
                current.add(new Arc(
                        MigrationState.valueOf(arc.group(1)),
                        MigrationState.valueOf(arc.group(2)),
                        arc.group(3).equals("0"),
                        MigrationState.valueOf(arc.group(5))));
            }
        }
        return new FsmOracle(byFlags);
    }

    private static List<String> lines() {
        try (InputStream in = FsmOracle.class.getResourceAsStream("/fsm-matrix.txt")) {
            if (in == null) {
                throw new IllegalStateException("fsm-matrix.txt is not among the test resources");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
