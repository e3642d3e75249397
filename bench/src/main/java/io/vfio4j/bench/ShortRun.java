// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * The short profile: each benchmark with few of its parameters, in one JVM each, for as short as still shows a large
 * change. It is started by {@code bench.sh --short} and runs in CI, so it has to be over in a minute or two.
 */
public final class ShortRun {
    private ShortRun() {}

    /**
     * Runs it.
     *
     * @param args the file that the results go to, as JSON
     * @throws Exception when a benchmark fails, or the file cannot be written
     */
    public static void main(String[] args) throws Exception {
        String out = args[0];
        List<RunResult> results = new ArrayList<>();
        for (ChainedOptionsBuilder part : List.of(calls(), states(), downtime())) {
            Options options = part.forks(1)
                    .shouldFailOnError(true)
                    .addProfiler(GCProfiler.class)
                    .build();
            results.addAll(new Runner(options).run());
        }
        ResultFormatFactory.getInstance(ResultFormatType.JSON, out).writeOut(results);
        System.out.println(results.size() + " benchmarks have run; " + out);
    }

    /** What takes nanoseconds to microseconds. */
    private static ChainedOptionsBuilder calls() {
        return timed(100)
                .include("BindingCost")
                .include("PoolCost.*[18]$")
                .include("FrameCost")
                .include("ChecksumRate.crc32c")
                .include("ChunkCost")
                .include("DirtyPages.*Visit|DirtyPages.*Run")
                .include("ZeroSearch")
                .param("bytes", "4096", "1048576")
                .param("target", "TCP")
                .param("dirtyPerMille", "10")
                .param("runPages", "1");
    }

    /** What moves a whole state. */
    private static ChainedOptionsBuilder states() {
        return timed(400)
                .include("SaveThroughput")
                .include("PreCopyThroughput")
                .include("MemoryThroughput")
                .param("device", "emulated:size=64MiB")
                .param("memoryMiB", "256")
                .param("chunkBytes", "1048576");
    }

    private static ChainedOptionsBuilder downtime() {
        return new OptionsBuilder()
                .include("DowntimeDistribution")
                .param("device", "emulated:size=16MiB,dirty=50MiB/s")
                .warmupIterations(5)
                .measurementIterations(20);
    }

    /** Many short iterations rather than few long ones: they make the interval that a comparison goes by. */
    private static ChainedOptionsBuilder timed(long millis) {
        return new OptionsBuilder()
                .warmupIterations(2)
                .warmupTime(TimeValue.milliseconds(2 * millis))
                .measurementIterations(5)
                .measurementTime(TimeValue.milliseconds(millis));
    }
}
