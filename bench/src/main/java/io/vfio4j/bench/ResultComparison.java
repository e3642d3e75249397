// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import java.io.IOException;
import java.io.PrintStream;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Compares two results of JMH and tells changes from noise: a benchmark has changed where the confidence intervals of
 * both runs do not overlap and the scores differ by more than some percent. What it allocates, where JMH's gc profiler
 * was there, is compared likewise. {@code bench.sh compare} starts it.
 *
 * <p>Immutable; {@link #main} is the command.
 */
public final class ResultComparison {
    private static final int NOTHING_WORSE = 0;
    private static final int WORSE = 1;
    private static final int USAGE = 2;
    private static final double DEFAULT_PERCENT = 5;
    private static final String THROUGHPUT = "thrpt";
    private static final String ALLOCATED = "gc.alloc.rate.norm";

    /** How large an object is at the least, in bytes: less per operation comes from JMH's own threads. */
    private static final double SMALLEST_OBJECT = 16;

    /** What became of a benchmark. The worst comes first. */
    enum Verdict {
        /** It has got worse beyond the noise. */
        WORSE,
        /** It has got better beyond the noise. */
        BETTER,
        /** It may be the same: the intervals overlap, or the change is too small to matter. */
        SAME,
        /** Nobody can tell: a run has no interval, as with a single iteration, or the units differ. */
        UNCLEAR,
        /** It is in the second run only. */
        ADDED,
        /** It is in the first run only. */
        REMOVED
    }

    /**
     * One benchmark in both runs.
     *
     * @param name the benchmark with its parameters, and its mode or {@code gc.alloc.rate.norm}
     * @param before the first run's score; null where it has none
     * @param after the second run's score; null where it has none
     * @param verdict what became of it
     */
    record Row(
            String name, @Nullable Score before, @Nullable Score after, Verdict verdict) {
        /** How much the score has grown, in percent; NaN where there is nothing to compare. */
        double percent() {
            return before == null || after == null ? Double.NaN : 100 * (after.value() / before.value() - 1);
        }
    }

    /**
     * A measured value.
     *
     * @param value the score
     * @param low the lower end of its confidence interval; NaN where it has none
     * @param high the upper end
     * @param unit such as {@code ns/op}
     * @param mode JMH's short name, such as {@code thrpt}, or {@code gc.alloc.rate.norm}
     */
    record Score(double value, double low, double high, String unit, String mode) {
        private boolean isComparable(Score other) {
            return unit.equals(other.unit) && !Double.isNaN(low + high + other.low + other.high);
        }

        private boolean overlaps(Score other) {
            return low <= other.high && other.low <= high;
        }

        private boolean differsByLessThanAnObject(Score other) {
            return mode.equals(ALLOCATED) && Math.abs(value - other.value) < SMALLEST_OBJECT;
        }
    }

    private final List<Row> rows;

    private ResultComparison(List<Row> rows) {
        this.rows = rows;
    }

    /**
     * Compares two files, prints a table, and ends with 1 where something has got worse, with 2 where a file cannot be
     * read or the arguments are wrong, else with 0.
     *
     * @param args the file of the first run, that of the second one, and above how many percent a change counts, 5
     *     unless given
     */
    public static void main(String[] args) {
        System.exit(run(args, System.out, System.err));
    }

    static int run(String[] args, PrintStream out, PrintStream err) {
        try {
            if (args.length < 2 || args.length > 3) {
                throw new IllegalArgumentException("needs two files of JMH's JSON results, and may have a percentage");
            }
            double percent = args.length == 3 ? percent(args[2]) : DEFAULT_PERCENT;
            ResultComparison comparison = of(read(Path.of(args[0])), read(Path.of(args[1])), percent);
            comparison.print(out, percent);
            return comparison.count(Verdict.WORSE) > 0 ? WORSE : NOTHING_WORSE;
        } catch (IllegalArgumentException | IOException e) {
            err.println("compare: " + e.getMessage());
            return USAGE;
        }
    }

    private static double percent(String text) {
        try {
            double percent = Double.parseDouble(text);
            if (percent >= 0 && percent <= 1000) {
                return percent;
            }
            throw new IllegalArgumentException("'" + text + "' is no percentage from 0 to 1000");
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' is no percentage", e);
        }
    }

    /** Compares the scores of two runs; a change of not more than this many percent does not count. */
    static ResultComparison of(Map<String, Score> before, Map<String, Score> after, double percent) {
        Set<String> names = new LinkedHashSet<>(before.keySet());
        names.addAll(after.keySet());
        List<Row> rows = new ArrayList<>();
        for (String name : names) {
            Score first = before.get(name);
            Score second = after.get(name);
            rows.add(new Row(name, first, second, judge(first, second, percent)));
        }
        return new ResultComparison(List.copyOf(rows));
    }

    private static Verdict judge(@Nullable Score before, @Nullable Score after, double percent) {
        if (before == null) {
            return Verdict.ADDED;
        }
        if (after == null) {
            return Verdict.REMOVED;
        }
        if (!before.isComparable(after)) {
            return Verdict.UNCLEAR;
        }
        double change = Math.abs(after.value / before.value - 1);
        // Two scores of 0 have no ratio, and are the same.
        if (before.overlaps(after) || before.differsByLessThanAnObject(after) || !(100 * change > percent)) {
            return Verdict.SAME;
        }
        boolean grown = after.value > before.value;
        return grown == before.mode.equals(THROUGHPUT) ? Verdict.BETTER : Verdict.WORSE;
    }

    List<Row> rows() {
        return rows;
    }

    private long count(Verdict verdict) {
        return rows.stream().filter(row -> row.verdict == verdict).count();
    }

    private void print(PrintStream out, double percent) {
        for (Verdict verdict : Verdict.values()) {
            // What has not changed is only counted.
            if (verdict != Verdict.SAME) {
                rows.stream().filter(row -> row.verdict == verdict).forEach(row -> out.println(line(row)));
            }
        }
        out.printf(
                Locale.ROOT,
                "%d worse, %d better, %d the same (intervals overlap, or not more than %s %%), %d unclear, %d added, %d removed%n",
                count(Verdict.WORSE),
                count(Verdict.BETTER),
                count(Verdict.SAME),
                percent == Math.rint(percent) ? Long.toString((long) percent) : Double.toString(percent),
                count(Verdict.UNCLEAR),
                count(Verdict.ADDED),
                count(Verdict.REMOVED));
    }

    private static String line(Row row) {
        String verdict = row.verdict.name().toLowerCase(Locale.ROOT);
        String change = Double.isNaN(row.percent()) ? "" : String.format(Locale.ROOT, "%+.1f %%", row.percent());
        return String.format(
                Locale.ROOT, "%-7s %9s  %s -> %s  %s", verdict, change, text(row.before), text(row.after), row.name);
    }

    private static String text(@Nullable Score score) {
        return score == null
                ? "-"
                : String.format(Locale.ROOT, "%.4g [%.4g, %.4g] %s", score.value, score.low, score.high, score.unit);
    }

    /** Reads the scores of a run. */
    static Map<String, Score> read(Path json) throws IOException {
        if (!Files.isRegularFile(json)) {
            throw new IOException(json + ": no such file");
        }
        Result[] results;
        try (Reader reader = Files.newBufferedReader(json)) {
            // JMH writes what it has no number for as "NaN".
            results =
                    new GsonBuilder().setStrictness(Strictness.LENIENT).create().fromJson(reader, Result[].class);
        } catch (JsonParseException e) {
            throw new IOException(json + ": not JMH's JSON: " + e.getMessage(), e);
        }
        if (results == null || results.length == 0) {
            throw new IOException(json + ": it has no results");
        }
        Map<String, Score> scores = new LinkedHashMap<>();
        for (Result result : results) {
            if (result == null || !result.addTo(scores)) {
                throw new IOException(json + ": not JMH's JSON: a result without its name, mode or score");
            }
        }
        return scores;
    }

    /** A result, as far as it is needed here; Gson leaves out what the file does not have. */
    private record Result(
            @Nullable String benchmark,
            @Nullable String mode,
            int threads,
            @Nullable Map<String, String> params,
            @Nullable Metric primaryMetric,
            @Nullable Map<String, Metric> secondaryMetrics) {
        /** Adds the time or rate, and what was allocated where that is known; false where it is no result. */
        boolean addTo(Map<String, Score> scores) {
            if (benchmark == null || mode == null || primaryMetric == null) {
                return false;
            }
            Score score = primaryMetric.score(mode);
            if (score == null) {
                return false;
            }
            String name = name(benchmark);
            scores.put(name + " [" + mode + "]", score);
            Metric allocated = secondaryMetrics == null ? null : secondaryMetrics.get(ALLOCATED);
            Score bytes = allocated == null ? null : allocated.score(ALLOCATED);
            if (bytes != null) {
                scores.put(name + " [" + ALLOCATED + "]", bytes);
            }
            return true;
        }

        /** The class's and the method's name, and the parameters in an order of their own. */
        private String name(String full) {
            int method = full.lastIndexOf('.');
            StringBuilder name = new StringBuilder(full.substring(full.lastIndexOf('.', method - 1) + 1));
            if (params != null) {
                new TreeMap<>(params)
                        .forEach((key, value) ->
                                name.append(' ').append(key).append('=').append(value));
            }
            if (threads > 1) {
                name.append(" threads=").append(threads);
            }
            return name.toString();
        }
    }

    /** A measured value as JMH writes it. */
    private record Metric(
            double score,
            @Nullable List<@Nullable Double> scoreConfidence,
            @Nullable String scoreUnit) {
        /** Returns it as a score; null where something is missing. */
        @Nullable
        Score score(String mode) {
            if (scoreUnit == null || scoreConfidence == null || scoreConfidence.size() != 2) {
                return null;
            }
            Double low = scoreConfidence.get(0);
            Double high = scoreConfidence.get(1);
            return low == null || high == null ? null : new Score(score, low, high, scoreUnit, mode);
        }
    }
}
