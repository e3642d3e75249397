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
import org.jspecify.annotations.Nullable;

/** The C program {@code bench/peer/vfio_copy.c}. */
final class CopyProgram implements Peer {
    static final String PLAIN = "C";

    private final String program;
    private final boolean crc;

    CopyProgram(String program, boolean crc) {
        this.program = program;
        this.crc = crc;
    }

    @Override
    public String name() {
        return crc ? "C with CRC32C" : PLAIN;
    }

    @Override
    public boolean takesPart(Scenario scenario) {
        return true;
    }

    @Override
    public Outcome run(Stage stage) throws IOException, InterruptedException {
        if (stage.scenario().route().isFile()) {
            try (Child save = start(stage, "save", stage.file().toString(), stage.sources())) {
                return outcome(stage, save, null);
            }
        }
        String listen = stage.scenario().route() == Route.TCP ? "tcp:127.0.0.1:0" : "unix:" + stage.socket();
        try (Child receive = start(stage, "receive", listen, stage.destinations());
                Child send = start(stage, "send", receive.awaitListening(stage.patience()), stage.sources())) {
            return outcome(stage, send, receive);
        }
    }

    private Child start(Stage stage, String verb, String target, List<Testdev> devices) throws IOException {
        Scenario scenario = stage.scenario();
        List<String> command = new ArrayList<>(List.of(
                program,
                "--downtime-limit",
                Integer.toString(stage.downtimeLimitMillis()),
                "--max-time",
                Integer.toString(stage.maxSeconds() * 1000)));
        if (crc) {
            command.add("--crc");
        }
        if (scenario.route() == Route.DIRECT) {
            command.add("--direct");
        }
        command.add(verb);
        command.add(target);
        command.addAll(
                scenario.place() == Place.LAB
                        ? Stage.cdevs(devices)
                        : Collections.nCopies(scenario.devices(), "memory:" + ((long) scenario.mebibytes() << 20)));
        return new Child(command, Map.of());
    }

    private static Outcome outcome(Stage stage, Child source, @Nullable Child destination)
            throws IOException, InterruptedException {
        JsonObject sent = JsonParser.parseString(source.await(stage.patience())).getAsJsonObject();
        Usage received = new Usage(List.of(), 0, -1);
        if (destination != null) {
            received = usage(
                    destination,
                    JsonParser.parseString(destination.await(stage.patience())).getAsJsonObject());
        }
        return new Outcome(
                "",
                sent.get("preCopyBytes").getAsLong(),
                sent.get("preCopyNanos").getAsLong(),
                sent.get("stopCopyBytes").getAsLong(),
                sent.get("downtimeNanos").getAsLong(),
                usage(source, sent),
                received);
    }

    /** It knows its own use to the tick, and may end before it is sampled. */
    private static Usage usage(Child child, JsonObject report) {
        return child.usage()
                .own(
                        report.get("cpuNanos").getAsLong(),
                        report.get("peakRssBytes").getAsLong());
    }
}
