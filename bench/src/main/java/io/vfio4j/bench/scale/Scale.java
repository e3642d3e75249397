// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.scale;

import io.vfio4j.bench.Plot;
import io.vfio4j.buffer.MemoryBudget;
import io.vfio4j.emulator.Faults;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Shows how cost and memory grow: with the number of devices, with the size of the state, with the number of migrations
 * at once, and with time when the destination is slow.
 *
 * <p>{@code Scale FOLDER [quick]}: where the plots are put; and whether to do all on a scale that takes a minute. What
 * is compared runs in turn in this process, so that the ratios mean something where the figures do not.
 */
public final class Scale {
    private static final double MEBIBYTE = 1 << 20;
    private static final double NANOS = 1e9;
    /** Of all devices of a migration together, at each side. */
    private static final int CHUNKS = 32;

    private static final int CHUNK_BYTES = 1 << 20;
    private static final int PIECE_BYTES = 64 << 10;

    private final PrintStream out;
    private final Path folder;
    private final boolean quick;

    private Scale(PrintStream out, Path folder, boolean quick) {
        this.out = out;
        this.folder = folder;
        this.quick = quick;
    }

    /**
     * Measures all.
     *
     * @param arguments see above
     * @throws IOException when a migration fails, or a file cannot be written
     * @throws InterruptedException when it is interrupted
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path folder = Files.createDirectories(Path.of(arguments[0]));
        Scale scale = new Scale(System.out, folder, arguments.length > 1);
        scale.warmUp();
        scale.devices();
        scale.sizes();
        scale.migrations();
        scale.slowDestination();
    }

    private static MigrationParameters parameters() {
        return MigrationParameters.builder()
                .chunkBytes(CHUNK_BYTES)
                .chunks(CHUNKS)
                .downtimeLimit(Duration.ofSeconds(1))
                .build();
    }

    private void warmUp() throws IOException {
        try (Fleet fleet = new Fleet("emulated:size=64MiB", 2)) {
            for (int i = 0; i < 20; i++) {
                fleet.migrate(parameters());
            }
        }
    }

    private static double rate(MigrationReport report) {
        return report.preCopyBytes() / MEBIBYTE / (report.preCopyNanos() / NANOS);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }

    private static String spread(List<Double> values, String number) {
        return String.format(
                Locale.ROOT,
                number + " (" + number + "..." + number + ")",
                median(values),
                Collections.min(values),
                Collections.max(values));
    }

    /** What was measured of so many devices, a value for each round. */
    private record Cut(
            int devices, List<Double> ratios, List<Double> rates, List<Double> downtimes, List<Double> growths) {
        Cut(int devices) {
            this(devices, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }
    }

    /** One state, cut among more and more devices: together they are to be as fast as one. */
    private void devices() throws IOException {
        int mebibytes = quick ? 256 : 2048;
        int rounds = quick ? 2 : 7;
        List<Cut> cuts = Stream.of(1, 2, 4, 8, 16).map(Cut::new).toList();
        for (int round = 0; round < rounds; round++) {
            double lone = 0;
            for (Cut cut : cuts) {
                try (Fleet fleet = new Fleet("emulated:size=" + mebibytes / cut.devices + "MiB", cut.devices);
                        MemoryWatch memory = new MemoryWatch()) {
                    // Its first migration touches the states' memory for the first time.
                    fleet.migrate(parameters());
                    MigrationReport report = fleet.migrate(parameters());
                    double rate = rate(report);
                    lone = cut.devices == 1 ? rate : lone;
                    cut.rates.add(rate);
                    cut.ratios.add(rate / lone);
                    cut.growths.add(memory.growth());
                    cut.downtimes.add(report.downtime().total() / 1e6);
                }
            }
        }
        out.printf(
                "%n%d MiB of state in so many devices, %d MiB of buffers at each side; %d rounds%n",
                mebibytes, CHUNKS, rounds);
        out.printf(
                "%8s  %-20s  %-20s  %-22s  %s%n",
                "devices", "rate / rate of one", "MiB/s", "downtime ms", "memory grew by MiB");
        Plot plot = new Plot("Devices at once", "devices", "rate / rate of one device", false).series("median", true);
        for (Cut cut : cuts) {
            out.printf(
                    "%8d  %-20s  %-20s  %-22s  %s%n",
                    cut.devices,
                    spread(cut.ratios, "%.2f"),
                    spread(cut.rates, "%.0f"),
                    spread(cut.downtimes, "%.2f"),
                    spread(cut.growths, "%.0f"));
            plot.add(cut.devices, median(cut.ratios));
        }
        plot.series("rounds", false);
        cuts.forEach(cut -> cut.ratios.forEach(ratio -> plot.add(cut.devices, ratio)));
        write("scale-devices.svg", plot);
    }

    /**
     * A state that is larger and larger, most of it zero, so that it fits into any host: time and memory for each GiB.
     */
    private void sizes() throws IOException {
        List<Integer> gibibytes = quick ? List.of(1, 4) : List.of(1, 4, 16, 64);
        out.printf(
                "%nsparse states%n%8s  %-12s  %-12s  %-14s  %s%n",
                "GiB", "seconds", "s/GiB", "downtime ms", "memory grew by MiB");
        Plot plot = new Plot("Size of the state", "GiB", "seconds of pre-copy", true).series("measured", true);
        double first = 0;
        for (int size : gibibytes) {
            try (Fleet fleet = new Fleet("emulated:sparse=on,size=" + size + "GiB", 1);
                    MemoryWatch memory = new MemoryWatch()) {
                MigrationReport report = fleet.migrate(parameters());
                double seconds = report.preCopyNanos() / NANOS;
                first = first == 0 ? seconds / size : first;
                out.printf(
                        Locale.ROOT,
                        "%8d  %-12.2f  %-12.3f  %-14.2f  %.0f%n",
                        size,
                        seconds,
                        seconds / size,
                        report.downtime().total() / 1e6,
                        memory.growth());
                plot.add(size, seconds);
            }
        }
        plot.series("linear from the smallest", true);
        for (int size : gibibytes) {
            plot.add(size, first * size);
        }
        write("scale-size.svg", plot);
    }

    /** Small migrations, all at once and one after the other. */
    private void migrations() throws IOException, InterruptedException {
        int count = quick ? 20 : 100;
        int rounds = quick ? 1 : 3;
        out.printf("%n%d migrations of 16 MiB, %d MiB of buffers for all of them at each side%n", count, CHUNKS);
        out.printf("%-24s  %-10s  %s%n", "", "seconds", "memory grew by MiB");
        for (int round = 0; round < rounds; round++) {
            List<Fleet> fleets = new ArrayList<>();
            try {
                for (int i = 0; i < count; i++) {
                    fleets.add(new Fleet("emulated:size=16MiB", 1));
                }
                double alone = together(fleets, 1);
                double atOnce = together(fleets, count);
                out.printf(Locale.ROOT, "at once / one by one: %.2f%n", atOnce / alone);
            } finally {
                fleets.forEach(Fleet::close);
            }
        }
    }

    private double together(List<Fleet> fleets, int atOnce) throws IOException, InterruptedException {
        // Both sides of each are in this process, and take from the same budget: what waits for memory waits in line.
        MemoryBudget sources =
                new MemoryBudget((long) CHUNKS * CHUNK_BYTES, Math.min(atOnce, CHUNKS * CHUNK_BYTES / PIECE_BYTES / 4));
        MemoryBudget destinations =
                new MemoryBudget((long) CHUNKS * CHUNK_BYTES, Math.min(atOnce, CHUNKS * CHUNK_BYTES / PIECE_BYTES / 4));
        MigrationParameters.Builder parameters =
                MigrationParameters.builder().chunkBytes(PIECE_BYTES).chunks(4).downtimeLimit(Duration.ofSeconds(10));
        MigrationParameters here = parameters.memory(sources).build();
        MigrationParameters there = parameters.memory(destinations).build();
        try (MemoryWatch memory = new MemoryWatch();
                ExecutorService threads = Executors.newFixedThreadPool(atOnce)) {
            long begin = System.nanoTime();
            List<Future<MigrationReport>> all = new ArrayList<>();
            for (Fleet fleet : fleets) {
                all.add(threads.submit(() -> fleet.migrate(here, there)));
            }
            for (Future<MigrationReport> each : all) {
                each.get();
            }
            double seconds = (System.nanoTime() - begin) / NANOS;
            out.printf(
                    Locale.ROOT,
                    "%-24s  %-10.2f  %.0f%n",
                    atOnce == 1 ? "one by one" : atOnce + " at once",
                    seconds,
                    memory.growth());
            return seconds;
        } catch (ExecutionException e) {
            throw new IOException("a migration failed", e.getCause());
        }
    }

    /** A destination that takes 1 MiB in a second: whatever the source could send, nothing may pile up. */
    private void slowDestination() throws IOException, InterruptedException {
        int seconds = quick ? 10 : 60;
        Plot plot = new Plot("A destination that takes 1 MiB/s", "seconds", "memory of both sides, MiB", false)
                .series("anonymous memory of the process", true);
        try (Fleet fleet = new Fleet("emulated:size=1GiB", 1);
                ExecutorService thread = Executors.newSingleThreadExecutor()) {
            fleet.destinations()
                    .getFirst()
                    .faults()
                    .on(Faults.Kind.WRITE)
                    .always()
                    .delay(Duration.ofSeconds(1));
            try (MemoryWatch memory = new MemoryWatch()) {
                Future<MigrationReport> migration = thread.submit(() -> fleet.migrate(parameters()));
                TimeUnit.SECONDS.sleep(seconds);
                fleet.cancel();
                requireCancelled(migration);
                List<Double> samples = memory.all();
                List<Double> settled = samples.subList(samples.size() / 6, samples.size());
                out.printf(
                        Locale.ROOT,
                        "%na destination that takes 1 MiB/s, for %d s: memory between %.1f and %.1f MiB after the first %d s%n",
                        seconds,
                        Collections.min(settled),
                        Collections.max(settled),
                        seconds / 6);
                for (int i = 0; i < samples.size(); i++) {
                    plot.add((double) seconds * i / samples.size(), samples.get(i));
                }
            }
        }
        write("scale-slow-destination.svg", plot);
    }

    private static void requireCancelled(Future<MigrationReport> migration) throws IOException, InterruptedException {
        try {
            migration.get();
            throw new IOException("the slow destination was not slow");
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof MigrationException failure) || failure.reason() != Reason.CANCELLED) {
                throw new IOException("the migration failed", e.getCause());
            }
        }
    }

    private void write(String name, Plot plot) throws IOException {
        Files.writeString(folder.resolve(name), plot.svg());
    }
}
