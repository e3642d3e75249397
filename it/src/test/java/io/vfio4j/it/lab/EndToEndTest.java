// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.it.lab.Vfio4j.Report;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real command in two processes, between real drivers, over each transport. */
@Tag("lab")
@Tag("processes")
class EndToEndTest {
    private static final long MEBIBYTE = 1 << 20;
    private static final long GIBIBYTE = 1L << 30;
    private static final int SUCCESS = 0;
    private static final int DEVICE_FAILED = 3;
    private static final int DIFFERENT_DEVICES = 6;

    /** What a stream of the test device has beside its records: a header, and the end with its checksum. */
    private static final long HEADER_AND_END = 24 + 24 + 16;

    private static final long BLOCK = 64 << 10;
    private static final long RECORD_HEAD = 24;

    /** So that pre-copy ends on a machine that is too busy to keep up with the device, too. */
    private static final String[] ENDS_ANYHOW = {"--max-time", "60s", "--on-no-convergence", "switch-over"};

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @TempDir
    private Path folder = Path.of("");

    /** What both sides printed. */
    private record Reports(Report source, Report destination) {}

    @AfterEach
    void takeAway() throws Exception {
        // The processes before the devices that they hold.
        for (AutoCloseable each : opened) {
            each.close();
        }
    }

    private Mdev make(String type) throws IOException {
        Mdev made = new Mdev(type);
        opened.push(made);
        return made;
    }

    private Vfio4j run(String... arguments) throws IOException {
        Vfio4j started = Vfio4j.start(arguments);
        opened.push(started);
        return started;
    }

    private static String[] words(String[] more, String... first) {
        String[] all = Arrays.copyOf(first, first.length + more.length);
        System.arraycopy(more, 0, all, first.length, more.length);
        return all;
    }

    private Reports sendAndReceive(String from, String to, String peer) throws Exception {
        Vfio4j receive = run("receive", to, peer, "--json");
        String address = receive.awaitListening();
        Vfio4j send = run(words(ENDS_ANYHOW, "send", from, address, "--json"));
        return new Reports(send.awaitReport(), receive.awaitReport());
    }

    private Reports saveAndLoad(String from, String to) throws Exception {
        Path state = folder.resolve("state.vfio4j");
        Report saved =
                run(words(ENDS_ANYHOW, "save", from, "file:" + state, "--json")).awaitReport();
        assertThat(Files.size(state)).isGreaterThan(saved.number("totalBytes"));
        assertThat(folder).isDirectoryNotContaining("glob:**.partial");
        return new Reports(saved, run("load", to, "file:" + state, "--json").awaitReport());
    }

    private static void assertCompleted(Reports reports) {
        Report source = reports.source();
        Report destination = reports.destination();
        assertThat(source.text("outcome")).isEqualTo("completed");
        assertThat(destination.text("outcome")).isEqualTo("completed");
        assertThat(source.text("sourceState")).isEqualTo("STOP");
        assertThat(destination.text("destinationState")).isEqualTo("RUNNING");
        assertThat(source.number("totalBytes"))
                .isPositive()
                .isEqualTo(source.number("preCopyBytes") + source.number("stopCopyBytes"))
                .isEqualTo(destination.number("loadedBytes"));
        assertThat(source.numbers("downtime")).hasSize(6).allMatch(part -> part >= 0);
        assertThat(source.numbers("downtime").stream()
                        .mapToLong(Long::longValue)
                        .sum())
                .isPositive()
                .isEqualTo(source.number("downtimeNanos"));
    }

    // ---- mtty ----

    @Test
    void shouldMigrateASerialPortOverTcp() throws Exception {
        Mdev source = make("mtty-2");
        Mdev destination = make("mtty-2");
        byte[] state = giveState(source, 0x51);

        Reports reports = sendAndReceive(source.uuid(), destination.uuid(), "tcp:127.0.0.1:0");

        assertSerialPortMigrated(reports, source, destination, state);
    }

    @Test
    void shouldMigrateASerialPortOverAUnixSocket() throws Exception {
        Mdev source = make("mtty-1");
        Mdev destination = make("mtty-1");
        byte[] state = giveState(source, 0x52);

        Reports reports = sendAndReceive(
                source.grouped().toString(), destination.cdev().toString(), "unix:" + folder.resolve("socket"));

        assertSerialPortMigrated(reports, source, destination, state);
    }

    @Test
    void shouldMigrateASerialPortByWayOfAFile() throws Exception {
        Mdev source = make("mtty-2");
        Mdev destination = make("mtty-2");
        byte[] state = giveState(source, 0x53);

        Reports reports = saveAndLoad(source.uuid(), destination.uuid());

        assertSerialPortMigrated(reports, source, destination, state);
    }

    private static byte[] giveState(Mdev mdev, int scratch) throws IOException {
        try (VfioDevice device = VfioHost.system().open(mdev.cdev())) {
            return SerialPort.giveState(device, scratch);
        }
    }

    /** The port keeps its state when its last user closes it, so that it can be looked at afterwards. */
    private static void assertSerialPortMigrated(Reports reports, Mdev source, Mdev destination, byte[] state)
            throws IOException {
        assertCompleted(reports);
        assertThat(reports.source().number("totalBytes")).isEqualTo(state.length);
        try (VfioDevice device = VfioHost.system().open(source.cdev())) {
            assertThat(device.state()).isEqualTo(MigrationState.STOP);
        }
        try (VfioDevice device = VfioHost.system().open(destination.cdev())) {
            assertThat(device.state()).isEqualTo(MigrationState.RUNNING);
            assertThat(SerialPort.stateOf(device)).isEqualTo(state);
        }
    }

    // ---- the test device ----

    @Test
    void shouldMigrateAGibibyteOverTcpWhileItIsDirtied() throws Exception {
        Mdev source = changing("full", GIBIBYTE);
        Mdev destination = resting("full", GIBIBYTE);

        Reports reports = sendAndReceive(source.uuid(), destination.uuid(), "tcp:127.0.0.1:0");

        assertMigrated(reports, source, destination, GIBIBYTE);
        assertSourceWasStoppedFirst(reports, source, destination);
        Report report = reports.source();
        System.out.printf(
                Locale.ROOT,
                "testdev, 1 GiB over tcp, 100 MiB/s of it dirtied: pre-copy %.0f MiB/s in %d rounds, downtime %.1f ms"
                        + " (predicted %.1f ms, limit %.0f ms)%n",
                report.number("preCopyBytes") / (double) MEBIBYTE / (report.number("preCopyNanos") / 1e9),
                report.number("rounds"),
                report.number("downtimeNanos") / 1e6,
                report.number("predictedDowntimeNanos") / 1e6,
                report.number("downtimeLimitNanos") / 1e6);
    }

    @Test
    void shouldMigrateOverAUnixSocketWhileTheDeviceIsDirtied() throws Exception {
        Mdev source = changing("full", GIBIBYTE);
        Mdev destination = resting("full", GIBIBYTE);

        Reports reports = sendAndReceive(
                source.cdev().toString(), destination.grouped().toString(), "unix:" + folder.resolve("socket"));

        assertMigrated(reports, source, destination, GIBIBYTE);
        assertSourceWasStoppedFirst(reports, source, destination);
    }

    @Test
    void shouldMigrateByWayOfAFileWhileTheDeviceIsDirtied() throws Exception {
        Mdev source = changing("full", GIBIBYTE);
        Mdev destination = resting("full", GIBIBYTE);

        Reports reports =
                saveAndLoad(source.grouped().toString(), destination.cdev().toString());

        assertMigrated(reports, source, destination, GIBIBYTE);
    }

    @Test
    void shouldStopADeviceWithoutPreCopyForAllOfItsState() throws Exception {
        Mdev source = resting("noprecopy", 64 * MEBIBYTE);
        Mdev destination = resting("noprecopy", 64 * MEBIBYTE);

        Reports reports = sendAndReceive(source.uuid(), destination.uuid(), "unix:" + folder.resolve("socket"));

        assertCompleted(reports);
        assertThat(reports.source().number("rounds")).isZero();
        assertThat(reports.source().number("preCopyBytes")).isZero();
        assertThat(destination.attribute("digest")).isEqualTo(source.attribute("digest"));
        assertThat(source.log())
                .containsExactly(
                        "open",
                        "arc RUNNING RUNNING_P2P",
                        "arc RUNNING_P2P STOP",
                        "arc STOP STOP_COPY",
                        "arc STOP_COPY STOP",
                        "close");
    }

    private Mdev changing(String type, long size) throws IOException {
        Mdev made = resting(type, size);
        made.attribute("dirty_rate", Long.toString(100 * MEBIBYTE));
        return made;
    }

    private Mdev resting(String type, long size) throws IOException {
        Mdev made = make("vfio4j_testdev-" + type);
        made.attribute("size", Long.toString(size));
        return made;
    }

    /** The log is how the source was left: closing a device, as the end of its process does, takes it to RUNNING. */
    private static void assertMigrated(Reports reports, Mdev source, Mdev destination, long size) throws IOException {
        assertCompleted(reports);
        assertThat(destination.attribute("digest")).isEqualTo(source.attribute("digest"));
        assertThat(reports.source().number("preCopyBytes")).isGreaterThanOrEqualTo(size);
        assertThat(source.log())
                .containsExactly(
                        "open",
                        "arc RUNNING PRE_COPY",
                        "arc PRE_COPY PRE_COPY_P2P",
                        "arc PRE_COPY_P2P STOP_COPY",
                        "arc STOP_COPY STOP",
                        "close");
        List<String> loading = destination.log();
        assertThat(loading).doesNotContain("reset").noneMatch(event -> event.startsWith("rejected"));
        assertThat(loading.subList(loading.indexOf("arc STOP RESUMING"), loading.size()))
                .containsExactly(
                        "arc STOP RESUMING",
                        "arc RESUMING STOP",
                        "arc STOP RUNNING_P2P",
                        "arc RUNNING_P2P RUNNING",
                        "close");

        // The device's own account: each block went once, and once more at the most for each time it was dirtied. A
        // record holds one block or more.
        long total = reports.source().number("totalBytes");
        long contents = size + source.stat("dirtied");
        assertThat(source.stat("dirtied")).isPositive();
        assertThat(total)
                .isGreaterThan(size + HEADER_AND_END)
                .isLessThanOrEqualTo(contents + contents / BLOCK * RECORD_HEAD + HEADER_AND_END);
    }

    /** The kernel's clock shows that the device never ran at both sides, and that no downtime was left out. */
    private static void assertSourceWasStoppedFirst(Reports reports, Mdev source, Mdev destination) throws IOException {
        long stopped = source.timeOf("arc PRE_COPY_P2P STOP_COPY");
        long running = destination.timeOf("arc RUNNING_P2P RUNNING");
        long released = source.timeOf("arc STOP_COPY STOP");
        assertThat(running).isGreaterThan(stopped);
        assertThat(released).isGreaterThan(running);
        assertThat(reports.source().number("downtimeNanos")).isGreaterThanOrEqualTo(running - stopped);
    }

    // ---- bad input ----

    @Test
    void shouldSayWhatToDoWhenTheDeviceIsInUse() throws Exception {
        Mdev mdev = resting("full", 4 * MEBIBYTE);
        assertSaysThatItIsInUse(mdev.cdev(), mdev.cdev());
        assertSaysThatItIsInUse(mdev.cdev(), mdev.grouped());
        assertSaysThatItIsInUse(mdev.grouped(), mdev.cdev());
        assertThat(folder).isEmptyDirectory();
    }

    private void assertSaysThatItIsInUse(DeviceAddress holds, DeviceAddress wants) throws Exception {
        try (VfioDevice holder = VfioHost.system().open(holds)) {
            Vfio4j save = run("save", wants.toString(), "file:" + folder.resolve("state"));

            assertThat(save.awaitExit()).as(save.err()).isEqualTo(DEVICE_FAILED);
            assertThat(save.err())
                    .contains("error: " + wants + ": ")
                    .contains("something else")
                    .contains("stop that first")
                    .doesNotContain("\tat ");
            assertThat(holder.state()).isEqualTo(MigrationState.RUNNING);
        }
    }

    @Test
    void shouldTurnAwayADeviceOfAnotherType() throws Exception {
        Mdev source = resting("full", 4 * MEBIBYTE);
        Mdev destination = resting("nop2p", 4 * MEBIBYTE);
        String before = destination.attribute("digest");
        Vfio4j receive = run("receive", destination.uuid(), "unix:" + folder.resolve("socket"), "--json");
        Vfio4j send = run("send", source.uuid(), receive.awaitListening(), "--json");

        assertThat(send.awaitExit()).as(send.err()).isEqualTo(DIFFERENT_DEVICES);
        assertThat(receive.awaitExit()).as(receive.err()).isEqualTo(DIFFERENT_DEVICES);
        assertThat(send.err()).contains("vfio4j_testdev-full").contains("vfio4j_testdev-nop2p");
        assertThat(new Report(send.out()).text("sourceState")).isEqualTo("RUNNING");
        assertThat(new Report(receive.out()).text("destinationState")).isEqualTo("RUNNING");
        assertThat(source.log()).containsExactly("open", "close");
        assertThat(destination.attribute("digest")).isEqualTo(before);
    }

    @Test
    void shouldLeaveNoFileAndARunningSourceWhenTheDriverFailsWhileItSaves() throws Exception {
        Mdev source = resting("full", 4 * MEBIBYTE);
        String before = source.attribute("digest");
        source.attribute("fail_read", "1048576 5 1");

        Vfio4j save = run("save", source.uuid(), "file:" + folder.resolve("state"), "--json");

        assertThat(save.awaitExit()).as(save.err()).isEqualTo(DEVICE_FAILED);
        assertThat(save.err()).contains("EIO (5)").doesNotContain("\tat ");
        assertThat(new Report(save.out()).text("sourceState")).isEqualTo("RUNNING");
        assertThat(source.attribute("digest")).isEqualTo(before);
        assertThat(source.log()).doesNotContain("reset");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldListTheDevicesOfTheLab() throws Exception {
        Mdev serialPort = make("mtty-2");
        Mdev testDevice = resting("full", 4 * MEBIBYTE);

        Vfio4j devices = run("devices");

        assertThat(devices.awaitExit()).as(devices.err()).isEqualTo(SUCCESS);
        List<String> expected = new ArrayList<>();
        for (Mdev mdev : List.of(serialPort, testDevice)) {
            expected.addAll(List.of(
                    mdev.uuid(),
                    mdev.identity().type(),
                    mdev.cdev().toString(),
                    mdev.grouped().toString()));
        }
        assertThat(devices.out()).contains(expected);
    }
}
