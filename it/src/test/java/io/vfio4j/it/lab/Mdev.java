// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.DeviceIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;

/** A mediated device of the lab: made when constructed, removed when closed. */
final class Mdev implements AutoCloseable {
    private static final Path BUS = Path.of("/sys/class/mdev_bus");
    private static final Path DEVICES = Path.of("/sys/bus/mdev/devices");

    private final String uuid = UUID.randomUUID().toString();
    private final Path directory = DEVICES.resolve(uuid);

    /** Makes a device of a type such as {@code mtty-2} or {@code vfio4j_testdev-full}. */
    Mdev(String type) throws IOException {
        Files.writeString(typeDirectory(type).resolve("create"), uuid);
    }

    private static Path typeDirectory(String type) throws IOException {
        try (Stream<Path> parents = Files.list(BUS)) {
            return parents.map(parent -> parent.resolve("mdev_supported_types").resolve(type))
                    .filter(Files::isDirectory)
                    .findFirst()
                    .orElseThrow(() -> new IOException("the lab has no mediated devices of type " + type));
        }
    }

    String uuid() {
        return uuid;
    }

    /** Its folder in sysfs. */
    Path directory() {
        return directory;
    }

    DeviceIdentity identity() {
        return DeviceIdentity.ofSysfs(directory);
    }

    DeviceAddress cdev() throws IOException {
        try (Stream<Path> cdevs = Files.list(directory.resolve("vfio-dev"))) {
            return DeviceAddress.parse(
                    "/dev/vfio/devices/" + cdevs.findFirst().orElseThrow().getFileName());
        }
    }

    DeviceAddress grouped() throws IOException {
        return DeviceAddress.parse(
                "/dev/vfio/" + directory.resolve("iommu_group").toRealPath().getFileName() + "/" + uuid);
    }

    /** Reads an attribute of the test device, without the line's end. */
    String attribute(String name) throws IOException {
        return Files.readString(directory.resolve("testdev").resolve(name)).strip();
    }

    /** Writes an attribute of the test device. */
    void attribute(String name, String value) throws IOException {
        Files.writeString(directory.resolve("testdev").resolve(name), value);
    }

    /** Reads the test device's log: its events without their times. */
    List<String> log() throws IOException {
        return attribute("log").lines().map(Mdev::event).toList();
    }

    /** When the test device logged this event last, in nanoseconds of CLOCK_MONOTONIC. */
    long timeOf(String event) throws IOException {
        return timeOfLast(Set.of(event));
    }

    /** When the test device logged one of these events last. */
    long timeOfLast(Set<String> events) throws IOException {
        return attribute("log")
                .lines()
                .filter(line -> events.contains(event(line)))
                .mapToLong(line -> Long.parseLong(line.substring(0, line.indexOf(' '))))
                .reduce((earlier, later) -> later)
                .orElseThrow(() -> new IOException("not in the log: " + events));
    }

    private static String event(String line) {
        return line.substring(line.indexOf(' ') + 1);
    }

    /** Reads one of the numbers that the test device counts. */
    long stat(String name) throws IOException {
        return attribute("stats")
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow(() -> new IOException("not in the stats: " + name));
    }

    @Override
    public void close() throws IOException {
        Files.writeString(directory.resolve("remove"), "1");
    }
}
