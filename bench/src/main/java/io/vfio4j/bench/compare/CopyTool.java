// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * The tools that copy files: {@code socat} over sockets, {@code dd} into files. Their state is a file in memory, as the
 * emulator's is; they know no states, and so have no downtime.
 */
final class CopyTool implements Peer {
    private static final Path MEMORY = Path.of("/dev/shm");

    private final Path packages;

    /** The tools of this host, or of the packages that {@code bench/peer/fetch} has unpacked there. */
    CopyTool(Path packages) {
        this.packages = packages;
    }

    @Override
    public String name() {
        return "socat, dd";
    }

    @Override
    public boolean takesPart(Scenario scenario) {
        return scenario.place() == Place.HOST && scenario.devices() == 1 && !scenario.changes();
    }

    @Override
    public Outcome run(Stage stage) throws IOException, InterruptedException {
        Path from = Files.createTempFile(MEMORY, "vfio4j-from", "");
        Path to = Files.createTempFile(MEMORY, "vfio4j-to", "");
        try {
            long bytes = (long) stage.scenario().mebibytes() << 20;
            fill(from, bytes);
            if (stage.scenario().route().isFile()) {
                return write(stage, from, bytes);
            }
            fill(to, bytes);
            return transfer(stage, from, to, bytes);
        } finally {
            Files.deleteIfExists(from);
            Files.deleteIfExists(to);
        }
    }

    private static void fill(Path file, long bytes) throws IOException {
        byte[] block = new byte[1 << 20];
        new Random(1).nextBytes(block);
        try (OutputStream out = Files.newOutputStream(file)) {
            for (long done = 0; done < bytes; done += block.length) {
                out.write(block);
            }
        }
    }

    private static Outcome write(Stage stage, Path from, long bytes) throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of("dd", "bs=1M", "conv=fsync", "if=" + from, "of=" + stage.file()));
        if (stage.scenario().route() == Route.DIRECT) {
            command.add("oflag=direct");
        }
        long begin = System.nanoTime();
        try (Child dd = new Child(command, Map.of())) {
            dd.await(stage.patience());
            return outcome(bytes, System.nanoTime() - begin, dd.usage(), new Usage(List.of(), 0, -1));
        }
    }

    private Outcome transfer(Stage stage, Path from, Path to, long bytes) throws IOException, InterruptedException {
        boolean tcp = stage.scenario().route() == Route.TCP;
        String listen = tcp ? "TCP-LISTEN:0,bind=127.0.0.1" : "UNIX-LISTEN:" + stage.socket();
        try (Child receive = socat(listen, "OPEN:" + to)) {
            String address = receive.awaitListening(stage.patience());
            String connect = tcp ? "TCP:127.0.0.1:" + address.replaceAll(".*:", "") : "UNIX:" + stage.socket();
            long begin = System.nanoTime();
            try (Child send = socat("OPEN:" + from, connect)) {
                send.await(stage.patience());
                receive.await(stage.patience());
                return outcome(bytes, System.nanoTime() - begin, send.usage(), receive.usage());
            }
        }
    }

    private Child socat(String from, String to) throws IOException {
        Path own = packages.resolve("usr/bin/socat");
        String program = Files.exists(own) ? own.toString() : "socat";
        return new Child(List.of(program, "-d", "-d", "-b", "1048576", "-u", from, to), QemuPair.libraries(packages));
    }

    private static Outcome outcome(long bytes, long nanos, Usage source, Usage destination) {
        return new Outcome("", bytes, nanos, 0, -1, source, destination);
    }
}
