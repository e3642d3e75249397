// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.it.lab.Vfio4j.Report;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code vfio4j bench} on a real driver: it finds out what the driver was told to do, and leaves the state alone. */
@Tag("lab")
@Tag("processes")
class MeasuringTest {
    private static final long MEBIBYTE = 1 << 20;
    private static final long SIZE = 32 * MEBIBYTE;
    private static final long MS = 1_000_000;
    private static final long SLOW_ARC_MS = 20;
    private static final int MISSED = 13;

    @TempDir
    private Path folder = Path.of("");

    private static Mdev make(String type) throws IOException {
        Mdev made = new Mdev("vfio4j_testdev-" + type);
        made.attribute("size", Long.toString(SIZE));
        return made;
    }

    /** Measures as little as there can be, three times. */
    private static Vfio4j bench(Mdev device, String... more) throws IOException {
        List<String> words =
                new ArrayList<>(List.of("bench", device.uuid(), "--runs", "3", "--chunk-sizes", "1MiB", "--json"));
        words.addAll(List.of(more));
        return Vfio4j.start(words.toArray(String[]::new));
    }

    /** The first number behind some fields of the object, which may come more than once. */
    private static long numberAfter(Report report, String fields) {
        Matcher matcher = Pattern.compile(Pattern.quote(fields) + "(\\d+)").matcher(report.json());
        assertThat(matcher.find()).as(fields + " in " + report.json()).isTrue();
        return Long.parseLong(matcher.group(1));
    }

    @Test
    void shouldMeasureADeviceAndItsPeerAndBringTheStateBack() throws Exception {
        Path out = folder.resolve("report");
        try (Mdev device = make("full");
                Mdev peer = make("full")) {
            String before = device.attribute("digest");
            device.attribute("delay_arc", "PRE_COPY_P2P STOP_COPY " + SLOW_ARC_MS);
            try (Vfio4j bench =
                    bench(device, "--peer", peer.cdev().toString(), "--max-downtime", "1ms", "--out", out.toString())) {
                assertThat(bench.awaitExit()).as(bench.err()).isEqualTo(MISSED);
                assertThat(bench.err()).contains("longer than --max-downtime 1.000 ms");
                Report report = new Report(bench.out());

                assertThat(report.text("deviceState")).isEqualTo("RUNNING");
                assertThat(report.text("peerState")).isEqualTo("RUNNING");
                assertThat(report.number("throughputBytesPerSecond")).isPositive();
                assertThat(numberAfter(
                                report, "\"from\":\"PRE_COPY_P2P\",\"to\":\"STOP_COPY\",\"count\":3,\"minNanos\":"))
                        .isGreaterThanOrEqualTo(SLOW_ARC_MS * MS * 99 / 100);
                long said = numberAfter(report, "\"afterPreCopy\":false,\"saidBytes\":");
                assertThat(said).isGreaterThan(SIZE);
                assertThat(numberAfter(report, "\"saidBytes\":" + said + ",\"readBytes\":"))
                        .isEqualTo(said);
            }
            assertThat(device.attribute("digest")).isEqualTo(before);
            // A reset fills the device anew, so that it holds its state because that came back.
            assertThat(device.log().lastIndexOf("arc RESUMING STOP"))
                    .isGreaterThan(device.log().lastIndexOf("reset"));
            // There, back, there, and the way back that does not count.
            assertThat(peer.log()).filteredOn("arc RUNNING PRE_COPY"::equals).hasSize(2);
        }
        assertThat(out).isDirectoryContaining("glob:**/report.html");
        assertThat(Files.readString(out.resolve("arcs.hlog"))).contains("Tag=RESUMING-STOP");
        assertThat(Files.readString(out.resolve("downtime.hlog"))).contains("Tag=drain");
    }

    @Test
    void shouldSeeHowFastADeviceWithoutAPeerChanges() throws Exception {
        long rate = 8 * MEBIBYTE;
        try (Mdev device = make("nop2p")) {
            device.attribute("dirty_rate", Long.toString(rate));
            try (Vfio4j bench = bench(device)) {
                Report report = bench.awaitReport();

                // By the device's clock and the measurement's, which are one.
                assertThat(report.number("growthBytesPerSecond")).isBetween(rate / 2, 2 * rate);
                assertThat(report.text("deviceState")).isEqualTo("RUNNING");
                assertThat(report.json()).contains("\"peer\":null", "\"downtimeOfSourceOnly\":true");
            }
            assertThat(device.log()).doesNotContain("reset").noneMatch(event -> event.startsWith("arc RESUMING"));
        }
    }
}
