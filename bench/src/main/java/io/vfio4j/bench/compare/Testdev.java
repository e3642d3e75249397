// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;

/** A test device of the lab, with all features: made when constructed, removed when closed. */
final class Testdev implements AutoCloseable {
    private static final Path BUS = Path.of("/sys/class/mdev_bus");
    private static final Path TYPE = Path.of("mdev_supported_types", "vfio4j_testdev-full", "create");

    private final Path folder;

    Testdev(int mebibytes) throws IOException {
        String uuid = UUID.randomUUID().toString();
        Path create;
        try (Stream<Path> parents = Files.list(BUS)) {
            create = parents.map(parent -> parent.resolve(TYPE))
                    .filter(Files::exists)
                    .findFirst()
                    .orElseThrow(() -> new IOException("no test devices here: run it inside the lab"));
        }
        Files.writeString(create, uuid);
        folder = Path.of("/sys/bus/mdev/devices", uuid);
        set("size", Long.toString((long) mebibytes << 20));
    }

    /** Its folder in sysfs. */
    Path folder() {
        return folder;
    }

    String cdev() throws IOException {
        try (Stream<Path> cdevs = Files.list(folder.resolve("vfio-dev"))) {
            return "/dev/vfio/devices/" + cdevs.findFirst().orElseThrow().getFileName();
        }
    }

    String get(String attribute) throws IOException {
        return Files.readString(folder.resolve("testdev").resolve(attribute)).strip();
    }

    void set(String attribute, String value) throws IOException {
        Files.writeString(folder.resolve("testdev").resolve(attribute), value);
    }

    /** When each device logged this event last, of CLOCK_MONOTONIC. */
    static long[] times(List<Testdev> devices, String event) throws IOException {
        long[] times = new long[devices.size()];
        for (int i = 0; i < times.length; i++) {
            times[i] = lastTime(devices.get(i).get("log"), event);
        }
        return times;
    }

    /** The time of the last event of this name in a device's log, or -1. */
    static long lastTime(String log, String event) {
        return log.lines()
                .filter(line -> line.endsWith(" " + event))
                .mapToLong(line -> Long.parseLong(line.substring(0, line.indexOf(' '))))
                .reduce((earlier, later) -> later)
                .orElse(-1);
    }

    @Override
    public void close() throws IOException {
        Files.writeString(folder.resolve("remove"), "1");
    }
}
