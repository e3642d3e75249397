// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Two virtual machine monitors, each a process, that move a machine with several large devices and state of its own.
 */
@Tag("lab")
@Tag("processes")
class TwoMonitorsTest {
    private static final long MEBIBYTE = 1 << 20;
    private static final long SIZE = 256 * MEBIBYTE;
    private static final long DIRTIED_A_SECOND = 10 * MEBIBYTE;
    private static final int DEVICES = 4;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @AfterEach
    void takeAway() throws Exception {
        // The processes before the devices that they hold.
        for (AutoCloseable each : opened) {
            each.close();
        }
    }

    private List<Mdev> devices() throws IOException {
        List<Mdev> made = new ArrayList<>();
        for (int i = 0; i < DEVICES; i++) {
            Mdev mdev = new Mdev("vfio4j_testdev-full");
            opened.push(mdev);
            mdev.attribute("size", Long.toString(SIZE));
            made.add(mdev);
        }
        return made;
    }

    private Vfio4j monitor(String side, String address, List<Mdev> devices) throws IOException {
        List<String> words = new ArrayList<>(List.of(side, address));
        for (Mdev each : devices) {
            words.add(each.cdev().toString());
        }
        Vfio4j started = Vfio4j.start(Monitor.class, words.toArray(String[]::new));
        opened.push(started);
        return started;
    }

    /** What a monitor printed. */
    private record Printed(Properties properties) {
        static Printed by(Vfio4j monitor) throws IOException, InterruptedException {
            assertThat(monitor.awaitExit()).as(monitor.err()).isZero();
            Properties printed = new Properties();
            printed.load(new StringReader(monitor.out()));
            return new Printed(printed);
        }

        String text(String name) {
            assertThat(properties).containsKey(name);
            return properties.getProperty(name);
        }

        long number(String name) {
            return Long.parseLong(text(name));
        }

        LongStream numbers(Stream<String> names) {
            return names.mapToLong(this::number);
        }
    }

    @Test
    void shouldMoveFourLargeDevicesAndTheRegistersBesideThem() throws Exception {
        List<Mdev> from = devices();
        List<Mdev> to = devices();
        for (Mdev each : from) {
            each.attribute("dirty_rate", Long.toString(DIRTIED_A_SECOND));
        }

        Vfio4j receiving = monitor(Monitor.DESTINATION, "tcp:127.0.0.1:0", to);
        Vfio4j sending = monitor(Monitor.SOURCE, receiving.awaitListening(), from);
        Printed source = Printed.by(sending);
        Printed destination = Printed.by(receiving);

        assertThat(source.properties()).doesNotContainKey("notice");
        assertThat(destination.properties()).doesNotContainKey("notice");
        assertThat(destination.text("registers")).isEqualTo(source.text("registers"));
        for (int i = 0; i < DEVICES; i++) {
            assertThat(source.text("device" + i + ".state")).isEqualTo("STOP");
            assertThat(destination.text("device" + i + ".state")).isEqualTo("RUNNING");
            assertThat(from.get(i).stat("dirtied")).isPositive();
            assertThat(to.get(i).attribute("digest")).isEqualTo(from.get(i).attribute("digest"));
            assertThat(source.number("device" + i + ".preCopyBytes")).isGreaterThan(SIZE);
        }
        assertReportsAddUp(source, destination);
        assertDowntimeIsWhole(source, destination, from, to);
        PeerToPeerOrder.assertDownInTwoSteps(from);
        PeerToPeerOrder.assertUpInTwoSteps(to);
        System.out.printf(
                Locale.ROOT,
                "four testdevs of 256 MiB over tcp, 10 MiB/s of each dirtied: pre-copy %.0f MiB/s in %d rounds, downtime"
                        + " %.1f ms%n",
                source.number("preCopyBytes") / (double) MEBIBYTE / (source.number("preCopyNanos") / 1e9),
                source.number("rounds"),
                source.number("downtime") / 1e6);
    }

    private static Stream<String> handlers() {
        return Stream.of("device0", "device1", "device2", "device3", "registers");
    }

    private static void assertReportsAddUp(Printed source, Printed destination) {
        for (String bytes : List.of("preCopyBytes", "stopCopyBytes")) {
            assertThat(source.numbers(handlers().map(name -> name + "." + bytes))
                            .sum())
                    .isPositive()
                    .isEqualTo(source.number(bytes));
        }
        assertThat(destination.number("bytes"))
                .isEqualTo(source.number("preCopyBytes") + source.number("stopCopyBytes"));
        assertThat(source.number("registers.preCopyBytes")).isPositive();
    }

    /**
     * The parts are the whole, which is no shorter than what the kernel saw and no longer than what the monitor saw.
     */
    private static void assertDowntimeIsWhole(Printed source, Printed destination, List<Mdev> from, List<Mdev> to)
            throws IOException {
        long downtime = source.number("downtime");
        long[] parts = source.numbers(Stream.of("stopVm", "quiesce", "stopCopy", "drain", "load", "resume")
                        .map(part -> "downtime." + part))
                .toArray();
        assertThat(parts).doesNotContain(0);
        assertThat(LongStream.of(parts).sum()).isEqualTo(downtime);

        long firstDown = Long.MAX_VALUE;
        long firstReleased = Long.MAX_VALUE;
        for (Mdev each : from) {
            firstDown = Math.min(firstDown, each.timeOf("arc PRE_COPY PRE_COPY_P2P"));
            firstReleased = Math.min(firstReleased, each.timeOf("arc STOP_COPY STOP"));
        }
        long lastUp = 0;
        for (Mdev each : to) {
            lastUp = Math.max(lastUp, each.timeOf("arc RUNNING_P2P RUNNING"));
        }
        assertThat(firstReleased).isGreaterThan(lastUp);
        assertThat(downtime)
                .isGreaterThan(lastUp - firstDown)
                .isLessThan(source.number("COMPLETED") - source.number("STOP_COPY"));

        // Each part has room for what each handler, or the other side, says it did in it.
        assertRoom(source, "quiesceNanos", "quiesce");
        assertRoom(source, "stopNanos", "stopCopy");
        assertRoom(source, "drainNanos", "drain");
        assertThat(destination.number("loadNanos"))
                .isLessThan(source.number("downtime.drain") + source.number("downtime.load"));
        assertThat(destination.number("resumeNanos")).isLessThan(source.number("downtime.resume"));
    }

    private static void assertRoom(Printed source, String ofHandler, String part) {
        assertThat(source.numbers(handlers().map(name -> name + "." + ofHandler))
                        .max()
                        .orElseThrow())
                .isPositive()
                .isLessThanOrEqualTo(source.number("downtime." + part));
    }
}
