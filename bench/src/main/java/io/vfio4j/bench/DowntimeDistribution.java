// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How long an emulated device is stopped, as single shots: JMH's time is that of the whole migration; the downtime and
 * each of its parts are printed from HdrHistograms at the end.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5)
@Measurement(iterations = 50)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class DowntimeDistribution {
    private static final long HIGHEST_NANOS = TimeUnit.MINUTES.toNanos(1);
    private static final double NANOS_PER_MICRO = 1e3;

    /** The device that is moved. */
    @Param({"emulated:size=64MiB,dirty=50MiB/s", "emulated:size=64MiB,dirty=0"})
    public String device = "";

    private final Map<String, Histogram> parts = new LinkedHashMap<>();
    private final MigrationParameters parameters = MigrationParameters.builder().build();

    @SuppressWarnings("NullAway.Init") // open() makes it
    private MigrationPair pair;

    /**
     * Makes the devices.
     *
     * @throws IOException when one cannot be opened
     */
    @Setup(Level.Trial)
    public void open() throws IOException {
        pair = new MigrationPair(device);
    }

    /**
     * Migrates once and takes down the parts of the downtime.
     *
     * @return the report
     * @throws IOException when the migration fails
     */
    @Benchmark
    public MigrationReport migrate() throws IOException {
        MigrationReport report = pair.migrate(parameters);
        Downtime downtime = report.downtime();
        record("quiesce", downtime.quiesce());
        record("stop-copy", downtime.stopCopy());
        record("drain", downtime.drain());
        record("load", downtime.load());
        record("resume", downtime.resume());
        record("downtime", downtime.total());
        return report;
    }

    /** Prints the distributions and takes the devices away. */
    @TearDown(Level.Trial)
    public void close() {
        pair.close();
        System.out.printf("%n%-10s %12s %12s %12s  (us)%n", device, "p50", "p99", "max");
        parts.forEach((part, histogram) -> System.out.printf(
                "%-10s %12.1f %12.1f %12.1f%n",
                part,
                histogram.getValueAtPercentile(50) / NANOS_PER_MICRO,
                histogram.getValueAtPercentile(99) / NANOS_PER_MICRO,
                histogram.getMaxValue() / NANOS_PER_MICRO));
    }

    private void record(String part, long nanos) {
        parts.computeIfAbsent(part, name -> new Histogram(HIGHEST_NANOS, 3))
                .recordValue(Math.min(nanos, HIGHEST_NANOS));
    }
}
