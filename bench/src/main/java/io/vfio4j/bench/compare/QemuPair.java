// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import com.google.gson.JsonObject;
import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Two QEMUs that migrate devices to each other, on their main channel or with multifd. Their guest has 16 MiB of memory
 * and a BIOS that halts at once, so that next to nothing but the devices is migrated, and nothing else runs.
 */
final class QemuPair implements Peer {
    static final String NAME = "QEMU";

    private static final int BIOS_BYTES = 1 << 16;
    private static final int RESET_VECTOR = BIOS_BYTES - 16;
    private static final byte HLT = (byte) 0xf4;

    /** cli; hlt; jmp to the hlt. */
    private static final byte[] HALT = {(byte) 0xfa, HLT, (byte) 0xeb, (byte) 0xfd};

    private final Path packages;
    private final boolean multifd;

    /** A pair of the QEMU that {@code bench/peer/fetch} has unpacked there. */
    QemuPair(Path packages, boolean multifd) {
        this.packages = packages;
        this.multifd = multifd;
    }

    @Override
    public String name() {
        return multifd ? "QEMU multifd" : NAME;
    }

    @Override
    public boolean takesPart(Scenario scenario) {
        // Without mapped-ram there is no multifd to a file, and with it none of a device.
        return scenario.place() == Place.LAB
                && scenario.route() != Route.DIRECT
                && !(multifd && scenario.route().isFile());
    }

    @Override
    public Outcome run(Stage stage) throws IOException, InterruptedException {
        Path bios = bios(stage.folder());
        boolean toFile = stage.scenario().route().isFile();
        if (toFile) {
            try (Child source = start(stage, bios, "source", stage.sources(), List.of());
                    Qmp monitor = Qmp.connect(stage.folder().resolve("source"), source)) {
                configure(monitor, stage, toFile);
                return migrate(stage, monitor, source, "file:" + stage.file(), null);
            }
        }
        try (Child destination =
                        start(stage, bios, "destination", stage.destinations(), List.of("-incoming", "defer"));
                Qmp incoming = Qmp.connect(stage.folder().resolve("destination"), destination);
                Child source = start(stage, bios, "source", stage.sources(), List.of());
                Qmp outgoing = Qmp.connect(stage.folder().resolve("source"), source)) {
            configure(incoming, stage, toFile);
            configure(outgoing, stage, toFile);
            String peer = "unix:" + stage.socket();
            if (stage.scenario().route() == Route.TCP) {
                incoming.execute("{'execute':'migrate-incoming','arguments':{'uri':'tcp:127.0.0.1:0'}}");
                peer = "tcp:127.0.0.1:"
                        + incoming.execute("{'execute':'query-migrate'}")
                                .getAsJsonArray("socket-address")
                                .get(0)
                                .getAsJsonObject()
                                .get("port")
                                .getAsString();
            } else {
                incoming.execute("{'execute':'migrate-incoming','arguments':{'uri':'" + peer + "'}}");
            }
            return migrate(stage, outgoing, source, peer, destination);
        }
    }

    private Outcome migrate(Stage stage, Qmp monitor, Child source, String to, @Nullable Child destination)
            throws IOException, InterruptedException {
        monitor.execute("{'execute':'migrate','arguments':{'uri':'" + to + "'}}");
        String end = monitor.awaitEnd(stage.maxSeconds());
        String note = "";
        if (end.isEmpty()) {
            note = "did not converge within " + stage.maxSeconds() + " s";
            monitor.execute("{'execute':'migrate_cancel'}");
            monitor.awaitEnd(stage.patience());
        } else if (!end.equals("completed")) {
            throw new IOException("QEMU's migration " + end + ": " + monitor.execute("{'execute':'query-migrate'}"));
        }
        JsonObject report = monitor.execute("{'execute':'query-migrate'}");
        if (note.isEmpty()) {
            // The source's "completed" may come before its devices, or the destination's, are where they end.
            if (destination == null) {
                await("STOP", stage.sources(), stage);
            } else {
                await("RUNNING", stage.destinations(), stage);
            }
        }
        JsonObject devices = report.has("vfio") ? report.getAsJsonObject("vfio") : new JsonObject();
        return new Outcome(
                note,
                devices.has("transferred") ? devices.get("transferred").getAsLong() : 0,
                report.has("total-time") ? report.get("total-time").getAsLong() * 1_000_000 : -1,
                0,
                report.has("downtime") ? report.get("downtime").getAsLong() * 1_000_000 : -1,
                source.usage(),
                destination == null ? new Usage(List.of(), 0, -1) : destination.usage());
    }

    private static void await(String state, List<Testdev> devices, Stage stage)
            throws IOException, InterruptedException {
        for (int waited = 0; waited < stage.patience() * 1000; waited += 20) {
            boolean there = true;
            for (Testdev each : devices) {
                there &= each.get("state").equals(state);
            }
            if (there) {
                return;
            }
            Thread.sleep(20);
        }
        throw new IOException("QEMU's devices are not in " + state);
    }

    private void configure(Qmp monitor, Stage stage, boolean toFile) throws IOException, InterruptedException {
        monitor.execute("{'execute':'migrate-set-capabilities','arguments':{'capabilities':["
                + capability("events", true) + "," + capability("return-path", !toFile) + ","
                + capability("switchover-ack", !toFile) + "," + capability("multifd", multifd) + "]}}");
        monitor.execute("{'execute':'migrate-set-parameters','arguments':{'max-bandwidth':0,'downtime-limit':"
                + stage.downtimeLimitMillis() + "}}");
    }

    private static String capability(String name, boolean on) {
        return "{'capability':'" + name + "','state':" + on + "}";
    }

    private Child start(Stage stage, Path bios, String monitor, List<Testdev> devices, List<String> more)
            throws IOException {
        Path socket = stage.folder().resolve(monitor);
        Files.deleteIfExists(socket);
        List<String> command = new ArrayList<>(List.of(
                packages.resolve("usr/bin/qemu-system-x86_64").toString(),
                "-L",
                packages.resolve("usr/share/qemu").toString(),
                "-L",
                packages.resolve("usr/share/seabios").toString(),
                "-M",
                "q35",
                "-accel",
                "tcg",
                "-m",
                "16",
                "-nodefaults",
                "-display",
                "none",
                "-bios",
                bios.toString(),
                "-qmp",
                "unix:" + socket + ",server=on,wait=off",
                "-object",
                "iommufd,id=iommu"));
        for (int i = 0; i < devices.size(); i++) {
            command.add("-device");
            command.add("vfio-pci,id=device" + i + ",sysfsdev=" + devices.get(i).folder()
                    + ",enable-migration=on,iommufd=iommu,x-migration-multifd-transfer=" + (multifd ? "on" : "off"));
        }
        command.addAll(more);
        return new Child(command, libraries(packages));
    }

    /** The environment in which programs of the unpacked packages find their libraries. */
    static Map<String, String> libraries(Path packages) {
        return Map.of(
                "LD_LIBRARY_PATH",
                packages.resolve("usr/lib/x86_64-linux-gnu") + ":" + packages.resolve("lib/x86_64-linux-gnu"));
    }

    private static Path bios(Path folder) throws IOException {
        byte[] bytes = new byte[BIOS_BYTES];
        Arrays.fill(bytes, HLT);
        System.arraycopy(HALT, 0, bytes, RESET_VECTOR, HALT.length);
        return Files.write(folder.resolve("bios"), bytes);
    }
}
