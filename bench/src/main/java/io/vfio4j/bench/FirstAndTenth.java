// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.emulator.Rehearsal;
import io.vfio4j.migration.MigrationParameters;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;

/**
 * Compares the downtime of the first migration of a fresh JVM with that of its tenth: whether anything in the downtime
 * is done for the first time there.
 *
 * <p>{@code FirstAndTenth [JVMS [DEVICE [cold]]]}: each of so many JVMs migrates one emulated device ten times, after
 * the {@link Rehearsal} that the command has at its start, or without it. Shown is the ratio of the medians, and of
 * each JVM's own two.
 */
public final class FirstAndTenth {
    private static final int MIGRATIONS = 10;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final String DEVICE = "emulated:size=64MiB,dirty=100MiB/s";

    /** What tells a JVM that it is one of those that migrate. */
    private static final String MIGRATES = "migrates";

    private static final String COLD = "cold";

    private FirstAndTenth() {}

    /**
     * Runs the comparison.
     *
     * @param arguments see above
     * @throws IOException when a JVM does not start, or a migration fails
     * @throws InterruptedException when interrupted while a JVM is waited for
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length == 3 && arguments[0].equals(MIGRATES)) {
            if (!arguments[2].equals(COLD)) {
                Rehearsal.run();
            }
            System.out.println(String.join(
                    " ", downtimes(arguments[1]).mapToObj(Long::toString).toList()));
            return;
        }
        int jvms = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 10;
        String device = arguments.length > 1 ? arguments[1] : DEVICE;
        String start = arguments.length > 2 ? arguments[2] : "rehearsed";
        List<long[]> all = new ArrayList<>();
        for (int i = 0; i < jvms; i++) {
            all.add(inFreshJvm(device, start));
        }
        report(all, System.out);
    }

    /** Migrates a device again and again. */
    static LongStream downtimes(String device) throws IOException {
        long[] downtimes = new long[MIGRATIONS];
        try (MigrationPair pair = new MigrationPair(device)) {
            for (int i = 0; i < MIGRATIONS; i++) {
                downtimes[i] =
                        pair.migrate(MigrationParameters.DEFAULT).downtime().total();
            }
        }
        return Arrays.stream(downtimes);
    }

    private static long[] inFreshJvm(String device, String start) throws IOException, InterruptedException {
        Process jvm = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        FirstAndTenth.class.getName(),
                        MIGRATES,
                        device,
                        start)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String line = new String(jvm.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (jvm.waitFor() != 0) {
            throw new IOException("a JVM that was to migrate ended with " + jvm.exitValue());
        }
        return Arrays.stream(line.split(" ")).mapToLong(Long::parseLong).toArray();
    }

    /**
     * Prints what came of it.
     *
     * @param all of each JVM the downtimes of its migrations in order, in nanoseconds
     * @param out where to
     */
    static void report(List<long[]> all, PrintStream out) {
        for (int migration = 0; migration < MIGRATIONS; migration++) {
            int number = migration;
            out.printf(
                    Locale.ROOT,
                    "migration %2d: downtime %7.3f ms (median of %d JVMs)%n",
                    number + 1,
                    median(all.stream().mapToDouble(downtimes -> downtimes[number])) / NANOS_PER_MILLI,
                    all.size());
        }
        double[] ratios = all.stream()
                .mapToDouble(downtimes -> (double) downtimes[0] / downtimes[MIGRATIONS - 1])
                .sorted()
                .toArray();
        out.printf(
                Locale.ROOT,
                "first / tenth: %.2f of the medians; of each JVM %.2f (%.2f...%.2f)%n",
                median(all.stream().mapToDouble(downtimes -> downtimes[0]))
                        / median(all.stream().mapToDouble(downtimes -> downtimes[MIGRATIONS - 1])),
                ratios[ratios.length / 2],
                ratios[0],
                ratios[ratios.length - 1]);
    }

    private static double median(DoubleStream values) {
        double[] sorted = values.sorted().toArray();
        return sorted[sorted.length / 2];
    }
}
