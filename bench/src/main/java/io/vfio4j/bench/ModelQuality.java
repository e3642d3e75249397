// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Random;
import java.util.function.ToLongFunction;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Compares the predicted downtime with the real one, over migrations of emulated devices of different sizes, dirty
 * rates and downtime limits.
 *
 * <p>{@code ModelQuality [MIGRATIONS [SEED [FILE]]]}: how many, 200 unless told otherwise; what the devices are drawn
 * with; and a file for the single migrations: a plot where its name ends with {@code .svg}, else figures in
 * milliseconds.
 */
public final class ModelQuality {
    private static final int WARM_UPS = 5;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double NEAR = 0.25;
    private static final long[] SIZES_MIB = {16, 32, 64, 128};
    private static final long[] LIMITS_MILLIS = {5, 10, 20, 50, 100, 300};

    /** Drivers take 1 to 100 ms for an arc. With none a downtime is all threads' meetings. */
    private static final long[] ARCS_MILLIS = {0, 1, 5, 20};

    /** One migration, all times in milliseconds. */
    private record Sample(long sizeMib, long dirtyMib, long arc, long limit, Downtime predicted, Downtime real) {
        double error() {
            return (double) real.total() / predicted.total() - 1;
        }
    }

    private ModelQuality() {}

    /**
     * Runs the comparison.
     *
     * @param arguments see above
     * @throws IOException when a migration fails, or the file cannot be written
     */
    public static void main(String[] arguments) throws IOException {
        int migrations = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 200;
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        for (int i = 0; i < WARM_UPS; i++) {
            sample(64, 100, 0, 300);
        }
        List<Sample> samples = new ArrayList<>();
        int refused = 0;
        while (samples.size() < migrations) {
            long size = SIZES_MIB[random.nextInt(SIZES_MIB.length)];
            long limit = LIMITS_MILLIS[random.nextInt(LIMITS_MILLIS.length)];
            long arc = ARCS_MILLIS[random.nextInt(ARCS_MILLIS.length)];
            Sample sample = sample(size, random.nextInt(400), arc, limit);
            if (sample == null) {
                refused++;
            } else {
                samples.add(sample);
            }
        }
        report(samples, refused, System.out);
        if (arguments.length > 2) {
            Path file = Path.of(arguments[2]);
            Files.write(
                    file,
                    file.toString().endsWith(".svg")
                            ? List.of(plot(samples).svg())
                            : samples.stream().map(ModelQuality::csv).toList());
        }
    }

    /** Migrates once; null where no switchover was to fit the limit. */
    private static @Nullable Sample sample(long sizeMib, long dirtyMib, long arcMillis, long limitMillis)
            throws IOException {
        MigrationParameters parameters = MigrationParameters.builder()
                .downtimeLimit(Duration.ofMillis(limitMillis))
                .maxPreCopy(Duration.ofSeconds(5))
                .build();
        try (MigrationPair pair = new MigrationPair(
                "emulated:size=" + sizeMib + "MiB,dirty=" + dirtyMib + "MiB/s,arc=" + arcMillis + "ms")) {
            MigrationReport report = pair.migrate(parameters);
            return new Sample(
                    sizeMib,
                    dirtyMib,
                    arcMillis,
                    limitMillis,
                    Objects.requireNonNull(report.predicted(), "the device has pre-copy"),
                    report.downtime());
        } catch (MigrationException e) {
            if (e.reason() == Reason.NOT_CONVERGED) {
                return null;
            }
            throw e;
        }
    }

    private static void report(List<Sample> samples, int refused, PrintStream out) {
        out.printf(Locale.ROOT, "%d migrations, %d more were not to fit their limit%n", samples.size(), refused);
        quality("all", samples, out);
        for (long arc : ARCS_MILLIS) {
            List<Sample> some =
                    samples.stream().filter(sample -> sample.arc == arc).toList();
            if (!some.isEmpty()) {
                quality("arcs of " + arc + " ms", some, out);
            }
        }
    }

    private static void quality(String title, List<Sample> samples, PrintStream out) {
        double[] errors = samples.stream().mapToDouble(Sample::error).sorted().toArray();
        long near =
                Arrays.stream(errors).filter(error -> Math.abs(error) <= NEAR).count();
        long kept = samples.stream()
                .filter(sample -> sample.real.total() <= sample.limit * NANOS_PER_MILLI)
                .count();
        out.printf(Locale.ROOT, "%n%s (%d)%n", title, samples.size());
        out.printf(
                Locale.ROOT,
                "real / predicted - 1: p5 %+.0f %%, p25 %+.0f %%, median %+.0f %%, p75 %+.0f %%, p95 %+.0f %%%n",
                100 * quantile(errors, 0.05),
                100 * quantile(errors, 0.25),
                100 * quantile(errors, 0.5),
                100 * quantile(errors, 0.75),
                100 * quantile(errors, 0.95));
        out.printf(Locale.ROOT, "within 25 %%: %.1f %%%n", 100.0 * near / samples.size());
        out.printf(Locale.ROOT, "limit kept:  %.1f %%%n", 100.0 * kept / samples.size());
        out.printf(Locale.ROOT, "%-10s %12s %12s  (medians, ms)%n", "", "predicted", "real");
        row(out, "quiesce", samples, Downtime::quiesce);
        row(out, "stop-copy", samples, Downtime::stopCopy);
        row(out, "drain", samples, Downtime::drain);
        row(out, "load", samples, Downtime::load);
        row(out, "resume", samples, Downtime::resume);
        row(out, "downtime", samples, Downtime::total);
    }

    private static void row(PrintStream out, String name, List<Sample> samples, ToLongFunction<Downtime> part) {
        out.printf(
                Locale.ROOT,
                "%-10s %12.3f %12.3f%n",
                name,
                median(samples.stream().mapToLong(sample -> part.applyAsLong(sample.predicted))),
                median(samples.stream().mapToLong(sample -> part.applyAsLong(sample.real))));
    }

    private static Plot plot(List<Sample> samples) {
        Plot plot =
                new Plot("Downtime of each migration", "predicted, ms", "real, ms", true).series("migrations", false);
        double least = Double.MAX_VALUE;
        double most = 0;
        for (Sample sample : samples) {
            double predicted = sample.predicted.total() / NANOS_PER_MILLI;
            least = Math.min(least, predicted);
            most = Math.max(most, predicted);
            plot.add(predicted, sample.real.total() / NANOS_PER_MILLI);
        }
        plot.series("real = predicted", true).add(least, least).add(most, most);
        plot.series("25 % more", true).add(least, least * (1 + NEAR)).add(most, most * (1 + NEAR));
        return plot.series("25 % less", true).add(least, least * (1 - NEAR)).add(most, most * (1 - NEAR));
    }

    private static double median(LongStream nanos) {
        return quantile(nanos.asDoubleStream().sorted().toArray(), 0.5) / NANOS_PER_MILLI;
    }

    private static double quantile(double[] sorted, double share) {
        return sorted[(int) Math.round(share * (sorted.length - 1))];
    }

    private static String csv(Sample sample) {
        return String.format(
                Locale.ROOT,
                "%d,%d,%d,%d,%.3f,%.3f",
                sample.sizeMib,
                sample.dirtyMib,
                sample.arc,
                sample.limit,
                sample.predicted.total() / NANOS_PER_MILLI,
                sample.real.total() / NANOS_PER_MILLI);
    }
}
