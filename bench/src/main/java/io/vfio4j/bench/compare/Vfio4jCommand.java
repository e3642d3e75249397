// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The command {@code vfio4j}: a fresh process for each side, as a user runs it. */
final class Vfio4jCommand implements Peer {
    static final String NAME = "vfio4j";

    private static final Pattern DIRECT_OPTION = Pattern.compile("--(o-)?direct[a-z-]*");

    private final String command;
    private final String directOption;

    /** Asks the command what it can do. */
    Vfio4jCommand(String command) throws IOException, InterruptedException {
        this.command = command;
        try (Child help = new Child(List.of(command, "save", "--help"), Map.of())) {
            Matcher matcher = DIRECT_OPTION.matcher(help.await(300));
            directOption = matcher.find() ? matcher.group() : "";
        }
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public boolean takesPart(Scenario scenario) {
        return scenario.route() != Route.DIRECT || !directOption.isEmpty();
    }

    @Override
    public Outcome run(Stage stage) throws IOException, InterruptedException {
        List<String> sources = devices(stage, stage.sources(), stage.dirtyBytesPerSecond());
        List<String> limits = new ArrayList<>(List.of(
                "--downtime-limit",
                stage.downtimeLimitMillis() + "ms",
                "--max-time",
                stage.maxSeconds() + "s",
                "--on-no-convergence",
                "switch-over"));
        if (stage.scenario().route().isFile()) {
            if (stage.scenario().route() == Route.DIRECT) {
                limits.add(directOption);
            }
            try (Child save = start("save", sources, "file:" + stage.file(), limits)) {
                return outcome(save.await(stage.patience()), save.usage(), new Usage(List.of(), 0, -1));
            }
        }
        String listen = stage.scenario().route() == Route.TCP ? "tcp:127.0.0.1:0" : "unix:" + stage.socket();
        try (Child receive = start("receive", devices(stage, stage.destinations(), 0), listen, List.of());
                Child send = start("send", sources, receive.awaitListening(stage.patience()), limits)) {
            String sent = send.await(stage.patience());
            receive.await(stage.patience());
            return outcome(sent, send.usage(), receive.usage());
        }
    }

    private static List<String> devices(Stage stage, List<Testdev> devices, long dirty) throws IOException {
        Scenario scenario = stage.scenario();
        if (scenario.place() == Place.LAB) {
            return Stage.cdevs(devices);
        }
        String rate = dirty == 0 ? "" : ",dirty=" + (dirty >> 20) + "MiB/s";
        return Collections.nCopies(scenario.devices(), "emulated:size=" + scenario.mebibytes() + "MiB" + rate);
    }

    private Child start(String verb, List<String> devices, String target, List<String> options) throws IOException {
        List<String> words = new ArrayList<>(List.of(command, verb));
        words.addAll(devices);
        words.add(target);
        words.addAll(options);
        words.addAll(List.of("--json", "--progress", "none"));
        return new Child(words, Map.of());
    }

    private static Outcome outcome(String json, Usage source, Usage destination) {
        JsonObject report = JsonParser.parseString(json).getAsJsonObject();
        return new Outcome(
                "",
                report.get("preCopyBytes").getAsLong(),
                report.get("preCopyNanos").getAsLong(),
                report.get("stopCopyBytes").getAsLong(),
                report.get("downtimeNanos").getAsLong(),
                source,
                destination);
    }
}
