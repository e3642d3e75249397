// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Runs {@link BindingCost} and the same loops in C in turn, several rounds, and prints a table of medians with their
 * ratio: {@code bench/bindings} compiles the C program and starts this.
 */
public final class BindingsAgainstC {
    private static final String ALLOCATED = "gc.alloc.rate.norm";

    private final Map<String, List<Double>> inC = new LinkedHashMap<>();
    private final Map<String, List<Double>> inJava = new LinkedHashMap<>();
    private final Map<String, Double> allocated = new LinkedHashMap<>();

    private BindingsAgainstC() {}

    /**
     * Runs the comparison.
     *
     * @param args the C program, and the number of rounds
     * @throws IOException when the C program cannot be run
     * @throws InterruptedException when it is interrupted
     * @throws RunnerException when JMH fails
     */
    public static void main(String[] args) throws IOException, InterruptedException, RunnerException {
        BindingsAgainstC comparison = new BindingsAgainstC();
        int rounds = Integer.parseInt(args[1]);
        for (int round = 0; round < rounds; round++) {
            comparison.runC(args[0]);
            comparison.runJava();
        }
        comparison.print(rounds);
    }

    private void runC(String program) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(program)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(program + " failed");
        }
        output.lines().forEach(line -> {
            int space = line.indexOf(' ');
            add(inC, line.substring(0, space), Double.parseDouble(line.substring(space + 1)));
        });
    }

    private void runJava() throws RunnerException {
        for (RunResult result : new Runner(new OptionsBuilder()
                        .include(BindingCost.class.getName())
                        .addProfiler(GCProfiler.class)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run()) {
            String bytes = result.getParams().getParam("bytes");
            String name = result.getPrimaryResult().getLabel() + (bytes == null ? "" : "/" + bytes);
            add(inJava, name, result.getPrimaryResult().getScore());
            Result<?> norm = result.getSecondaryResults().get(ALLOCATED);
            if (norm == null) {
                throw new IllegalStateException("JMH's gc profiler has no " + ALLOCATED);
            }
            allocated.merge(name, norm.getScore(), Math::max);
        }
    }

    private void print(int rounds) {
        System.out.printf("medians of %d rounds, C and Java in turn%n%n", rounds);
        System.out.println("| call | C ns | vfio4j ns | ratio | allocated B per call |");
        System.out.println("|---|---|---|---|---|");
        inC.forEach((name, nanos) -> {
            double c = median(nanos);
            double java = median(inJava.getOrDefault(name, List.of(Double.NaN)));
            System.out.printf(
                    "| %s | %.0f | %.0f | %.2f | %.3f |%n",
                    name, c, java, java / c, allocated.getOrDefault(name, Double.NaN));
        });
    }

    private static void add(Map<String, List<Double>> to, String name, double nanos) {
        to.computeIfAbsent(name, key -> new ArrayList<>()).add(nanos);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }
}
