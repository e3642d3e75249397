// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What {@code bench/compare} starts, once for each boot of the lab, once for the host, and once for the report:
 * {@code run NAME=VALUE...} appends measurements to a file, {@code report FILE HTML} shows them. The script says which
 * names there are.
 */
public final class Compare {
    private static final int WARM_UPS = 2;

    private final Map<String, String> options;
    private final Results results;
    private final Path folder;
    private final List<Peer> peers = new ArrayList<>();
    private boolean failed;

    private Compare(Map<String, String> options) throws IOException, InterruptedException {
        this.options = options;
        results = new Results(Path.of(option("out")));
        folder = Files.createTempDirectory(Path.of(option("folder")), "vfio4j-compare");
        peers.add(new CopyProgram(option("copy"), false));
        peers.add(new Vfio4jCommand(option("vfio4j")));
        peers.add(new CopyProgram(option("copy"), true));
        String packages = options.getOrDefault("packages", "");
        if (!packages.isEmpty() && !options.containsKey("no-qemu")) {
            peers.add(new QemuPair(Path.of(packages), false));
            peers.add(new QemuPair(Path.of(packages), true));
        }
        if (!packages.isEmpty()) {
            peers.add(new CopyTool(Path.of(packages)));
        }
    }

    /**
     * Measures, or reports.
     *
     * @param args see above
     * @throws IOException when it cannot
     * @throws InterruptedException when it is interrupted
     */
    public static void main(String[] args) throws IOException, InterruptedException {
        if (args[0].equals("report")) {
            report(Path.of(args[1]), Path.of(args[2]));
            return;
        }
        Map<String, String> options = new LinkedHashMap<>();
        for (String each : Arrays.asList(args).subList(1, args.length)) {
            int equals = each.indexOf('=');
            options.put(each.substring(0, equals), each.substring(equals + 1));
        }
        Compare compare = new Compare(options);
        try {
            compare.run();
        } finally {
            compare.clean();
        }
        System.exit(compare.failed ? 1 : 0);
    }

    private static void report(Path file, Path html) throws IOException {
        Results results = new Results(file);
        Comparison comparison = new Comparison(results.measurements());
        Files.writeString(html, HtmlReport.of(results.facts(), comparison));
        System.out.print(TextReport.of(results.facts(), comparison));
    }

    private String option(String name) {
        String value = options.get(name);
        if (value == null) {
            throw new IllegalArgumentException("no " + name + "=");
        }
        return value;
    }

    private <T> List<T> list(String name, Function<String, T> parse) {
        return Stream.of(options.getOrDefault(name, "").split(","))
                .filter(each -> !each.isEmpty())
                .map(parse)
                .toList();
    }

    private void clean() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    private void run() throws IOException, InterruptedException {
        results.facts(facts());
        Scenario base = new Scenario(
                Place.valueOf(option("place").toUpperCase(Locale.ROOT)),
                Integer.parseInt(option("cpus")),
                Route.TCP,
                1,
                Integer.parseInt(option("base")),
                "0");
        List<Scenario> scenarios = Scenario.around(
                base,
                list("sizes", Integer::valueOf),
                list("devices", Integer::valueOf),
                list("dirty", Function.identity()),
                list("over", each -> Route.valueOf(each.toUpperCase(Locale.ROOT))));
        for (Scenario scenario : scenarios) {
            run(scenario, Integer.parseInt(option("rounds")));
        }
    }

    private Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("begun", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        options.forEach((name, value) -> {
            if (name.startsWith("fact.")) {
                facts.put(name.substring("fact.".length()), value);
            }
        });
        return facts;
    }

    private void run(Scenario scenario, int rounds) throws IOException, InterruptedException {
        List<Testdev> sources = new ArrayList<>();
        List<Testdev> destinations = new ArrayList<>();
        try {
            if (scenario.place() == Place.LAB) {
                for (int i = 0; i < scenario.devices(); i++) {
                    sources.add(new Testdev(scenario.mebibytes()));
                    destinations.add(new Testdev(scenario.mebibytes()));
                }
            }
            Stage still = stage(scenario, sources, destinations, 0);
            double rate = 0;
            // Memory that is touched for the first time is slow; what is measured comes after that.
            for (int i = 0; i < WARM_UPS; i++) {
                Measurement warm = measure(peers.getFirst(), still, 0);
                rate = Math.max(rate, warm.preCopyBytes() * 1e9 / Math.max(1, warm.preCopyNanos()));
            }
            long dirty = scenario.dirtyBytesPerSecond(rate);
            for (Testdev each : sources) {
                each.set("dirty_rate", Long.toString(dirty));
            }
            Stage stage = stage(scenario, sources, destinations, dirty);
            List<Peer> order = new ArrayList<>(
                    peers.stream().filter(peer -> peer.takesPart(scenario)).toList());
            for (int round = 1; round <= rounds; round++) {
                for (Peer peer : order) {
                    Measurement measurement = measure(peer, stage, round);
                    results.add(measurement);
                    System.err.printf(
                            Locale.ROOT,
                            "%s: round %d, %s: %.0f MiB/s, %.1f ms%s%n",
                            scenario,
                            round,
                            peer.name(),
                            Metric.RATE.of(measurement),
                            Metric.DOWNTIME.of(measurement),
                            measurement.isComplete() ? "" : ", " + measurement.note());
                }
                Collections.rotate(order, 1);
            }
        } finally {
            for (Testdev each : sources) {
                each.close();
            }
            for (Testdev each : destinations) {
                each.close();
            }
        }
    }

    private Stage stage(Scenario scenario, List<Testdev> sources, List<Testdev> destinations, long dirty) {
        return new Stage(
                scenario,
                sources,
                destinations,
                dirty,
                Integer.parseInt(options.getOrDefault("limit", "300")),
                Integer.parseInt(options.getOrDefault("seconds", "20")),
                folder);
    }

    private Measurement measure(Peer peer, Stage stage, int round) throws IOException, InterruptedException {
        Files.deleteIfExists(stage.file());
        Files.deleteIfExists(stage.socket());
        Stream.concat(stage.sources().stream(), stage.destinations().stream()).forEach(Compare::clearLog);
        try {
            Peer.Outcome outcome = peer.run(stage);
            return measurement(peer.name(), stage, round, outcome);
        } catch (IOException e) {
            failed = true;
            System.err.println(e);
            return Measurement.failed(
                    stage.scenario(),
                    peer.name(),
                    round,
                    String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
        } finally {
            Files.deleteIfExists(stage.file());
        }
    }

    private static void clearLog(Testdev device) {
        try {
            device.set("log", "0");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Measurement measurement(String peer, Stage stage, int round, Peer.Outcome outcome)
            throws IOException {
        Scenario scenario = stage.scenario();
        if (!outcome.note().isEmpty()) {
            return Measurement.failed(scenario, peer, round, outcome.note());
        }
        long preCopyNanos = outcome.preCopyNanos();
        long downtimeNanos = outcome.downtimeNanos();
        long sourceCpu = outcome.source().ownCpuNanos();
        long destinationCpu = outcome.destination().ownCpuNanos();
        if (scenario.place() == Place.LAB) {
            boolean toFile = scenario.route().isFile();
            Referee seen = Referee.of(stage.sources(), stage.destinations(), toFile);
            preCopyNanos = seen.stop() - seen.begin();
            downtimeNanos = seen.end() - seen.stop();
            sourceCpu = outcome.source().cpuBetween(seen.begin(), seen.end());
            destinationCpu = outcome.destination().cpuBetween(seen.begin(), seen.end());
            if (!toFile) {
                requireEqual(stage);
            }
        }
        return new Measurement(
                scenario,
                peer,
                round,
                "",
                outcome.preCopyBytes(),
                preCopyNanos,
                outcome.stopCopyBytes(),
                downtimeNanos,
                outcome.preCopyNanos(),
                outcome.downtimeNanos(),
                sourceCpu,
                destinationCpu,
                outcome.source().peakBytes(),
                outcome.destination().peakBytes());
    }

    /** What does not arrive whole is not fast. */
    private static void requireEqual(Stage stage) throws IOException {
        for (int i = 0; i < stage.sources().size(); i++) {
            String sent = stage.sources().get(i).get("digest");
            String loaded = stage.destinations().get(i).get("digest");
            if (!sent.equals(loaded)) {
                throw new IOException("the digests differ: " + sent + " and " + loaded);
            }
        }
    }
}
