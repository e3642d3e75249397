// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
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
 * How fast pre-copy moves a device's state over loopback TCP, both ends in this process: the counter {@code preCopyMiB}
 * is MiB per second of the whole migration. Real devices are named by {@code -p device=… -p to=…}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 3)
@Measurement(iterations = 5, time = 3)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class PreCopyThroughput {
    /** The device that is moved. */
    @Param("emulated:size=256MiB")
    public String device = "";

    /** Where to; empty for a device like an emulated source. */
    @Param("")
    public String to = "";

    /** How many bytes a frame carries. */
    @Param({"262144", "1048576", "4194304"})
    public int chunkBytes;

    /** Whether reading and sending overlap. */
    @Param({"OFF", "ON"})
    public Overlap overlap = Overlap.OFF;

    @SuppressWarnings("NullAway.Init") // open() makes it
    private MigrationPair pair;

    @SuppressWarnings("NullAway.Init") // open() makes them
    private MigrationParameters parameters;

    /** What JMH reports beside the migrations per second. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Moved {
        /** How many MiB went in pre-copy. */
        public long preCopyMiB;
    }

    /**
     * Makes the devices.
     *
     * @throws IOException when one cannot be opened
     */
    @Setup(Level.Trial)
    public void open() throws IOException {
        pair = new MigrationPair(device, to);
        parameters = MigrationParameters.builder()
                .chunkBytes(chunkBytes)
                .overlap(overlap)
                .build();
    }

    /**
     * Migrates once.
     *
     * @param moved the counter
     * @return the report
     * @throws IOException when the migration fails
     */
    @Benchmark
    public MigrationReport migrate(Moved moved) throws IOException {
        MigrationReport report = pair.migrate(parameters);
        moved.preCopyMiB += report.preCopyBytes() >> 20;
        return report;
    }

    /** Takes the devices away. */
    @TearDown(Level.Trial)
    public void close() {
        pair.close();
    }
}
