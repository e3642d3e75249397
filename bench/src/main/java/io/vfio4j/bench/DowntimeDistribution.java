// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.MigrationReport;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
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
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.runner.IterationType;

/**
 * How long a device is stopped, as single shots: JMH's time is that of the whole migration. The downtime and each of
 * its parts are printed, and written as HdrHistograms to {@code PREFIX.downtime-DEVICE.hlog}, where the system property
 * {@value #PREFIX_PROPERTY} has the prefix. Real devices are named by {@code -p device=… -p to=…}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5)
@Measurement(iterations = 50)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class DowntimeDistribution {
    /** The system property that says where the logs are put, and how their names begin. */
    static final String PREFIX_PROPERTY = "vfio4j.bench.out";

    /** The device that is moved. */
    @Param({"emulated:size=64MiB,dirty=50MiB/s", "emulated:size=64MiB,dirty=0"})
    public String device = "";

    /** Where to; empty for a device like an emulated source. */
    @Param("")
    public String to = "";

    private final MigrationParameters parameters = MigrationParameters.builder().build();
    private final DowntimeHistograms histograms = new DowntimeHistograms(System.currentTimeMillis());
    private boolean measured;

    @SuppressWarnings("NullAway.Init") // open() makes it
    private MigrationPair pair;

    /**
     * Opens the devices.
     *
     * @throws IOException when one cannot be opened
     */
    @Setup(Level.Trial)
    public void open() throws IOException {
        pair = new MigrationPair(device, to);
    }

    /**
     * Leaves the shots that warm up out of the histograms.
     *
     * @param iteration what the next shot is for
     */
    @Setup(Level.Iteration)
    public void note(IterationParams iteration) {
        measured = iteration.getType() == IterationType.MEASUREMENT;
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
        if (measured) {
            histograms.record(report.downtime());
        }
        return report;
    }

    /**
     * Writes the distributions and takes the devices away.
     *
     * @throws IOException when the log cannot be written
     */
    @TearDown(Level.Trial)
    public void close() throws IOException {
        pair.close();
        Path log = logOf(System.getProperty(PREFIX_PROPERTY, "benchmarks"), device);
        // Several forks go into one log: its readers add up the intervals of a tag.
        try (PrintStream out = new PrintStream(
                new BufferedOutputStream(
                        Files.newOutputStream(log, StandardOpenOption.CREATE, StandardOpenOption.APPEND)),
                false,
                StandardCharsets.US_ASCII)) {
            histograms.writeLog(out, System.currentTimeMillis());
            if (out.checkError()) {
                throw new IOException(log + " cannot be written");
            }
        }
        System.out.printf("%n%s%n%s%s%n", device, histograms.summary(), log);
    }

    /** The log of a device: its name with whatever a file name should not have as a dash. */
    static Path logOf(String prefix, String device) {
        return Path.of(prefix + ".downtime-" + device.replaceAll("[^A-Za-z0-9.]+", "-") + ".hlog");
    }
}
