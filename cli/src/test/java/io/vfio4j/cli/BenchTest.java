// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.emulator.Faults;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.HistogramLogReader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command that measures a device: what it tells, writes and leaves behind. */
class BenchTest {
    private static final String SMALL = "emulated:size=2MiB";

    /** As few and small measurements as there can be. */
    private static final String[] QUICK = {"--runs", "2", "--chunk-sizes", "64KiB,1MiB"};

    @TempDir
    private Path folder;

    private static String[] words(String... first) {
        List<String> words = new ArrayList<>(List.of("bench"));
        words.addAll(Arrays.asList(first));
        words.addAll(Arrays.asList(QUICK));
        return words.toArray(String[]::new);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> list(CliRun run, String field) {
        return (List<Map<String, Object>>) Objects.requireNonNull(run.json().get(field));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> downtime(Map<String, Object> run) {
        return (Map<String, Object>) Objects.requireNonNull(run.get("downtime"));
    }

    private static long number(Map<String, Object> entry, String field) {
        return (Long) Objects.requireNonNull(entry.get(field));
    }

    @Test
    void shouldHaveTheDocumentedFieldsWhenAskedForJson() {
        CliRun run = CliRun.of(words(SMALL + ",dirty=1MiB/s", "--json")).succeeds();

        assertThat(run.json())
                .containsOnlyKeys(
                        "command",
                        "outcome",
                        "exitCode",
                        "device",
                        "peer",
                        "type",
                        "driver",
                        "stopCopy",
                        "p2p",
                        "preCopy",
                        "throughputBytesPerSecond",
                        "chunkSizes",
                        "dirty",
                        "stopCopySizes",
                        "arcs",
                        "downtimeOfSourceOnly",
                        "downtimeLimitNanos",
                        "runsWithinLimit",
                        "downtime",
                        "runs",
                        "deviceState",
                        "peerState")
                .containsEntry("command", "bench")
                .containsEntry("outcome", "completed")
                .containsEntry("device", SMALL + ",dirty=1MiB/s")
                .containsEntry("peer", SMALL + ",dirty=1MiB/s")
                .containsEntry("downtimeOfSourceOnly", false)
                .containsEntry("deviceState", "RUNNING")
                .containsEntry("peerState", "RUNNING");
        assertThat(list(run, "chunkSizes"))
                .extracting(entry -> entry.get("chunkBytes"))
                .containsExactly(65_536L, 1_048_576L);
        assertThat(list(run, "chunkSizes"))
                .allSatisfy(entry -> assertThat(entry)
                        .containsEntry("copies", 3L)
                        .containsOnlyKeys(
                                "chunkBytes",
                                "copies",
                                "readBytesPerSecond",
                                "writeBytesPerSecond",
                                "bytesPerSecond",
                                "slowestBytesPerSecond",
                                "fastestBytesPerSecond"));
        assertThat(list(run, "stopCopySizes"))
                .hasSize(7)
                .allSatisfy(entry -> assertThat(entry).containsOnlyKeys("afterPreCopy", "saidBytes", "readBytes"));
        assertThat(list(run, "arcs"))
                .extracting(entry -> entry.get("from") + " " + entry.get("to"))
                .contains("RUNNING PRE_COPY", "PRE_COPY_P2P STOP_COPY", "STOP RESUMING", "RESUMING STOP");
        assertThat(list(run, "runs")).hasSize(2).allSatisfy(entry -> {
            long sum = 0;
            for (Object part : downtime(entry).values()) {
                sum += (Long) part;
            }
            assertThat(downtime(entry))
                    .containsOnlyKeys(
                            "stopVmNanos", "quiesceNanos", "stopCopyNanos", "drainNanos", "loadNanos", "resumeNanos");
            assertThat(entry).containsEntry("downtimeNanos", sum);
            assertThat(number(entry, "preCopyBytes") + number(entry, "stopCopyBytes"))
                    .isGreaterThanOrEqualTo(2L << 20);
        });
        assertThat((Map<?, ?>) run.json().get("downtime")).extracting("count").isEqualTo(2L);
    }

    @Test
    void shouldShowTablesOfEverythingThatWasMeasured() {
        CliRun run = CliRun.of(words(SMALL)).succeeds();

        assertThat(run.out())
                .contains("chunk size", "64.0 KiB", "dirty rate", "stop-copy size", "whole state", "after pre-copy")
                .contains("RUNNING → PRE_COPY", "RESUMING → STOP")
                .contains("2 of 2 runs kept the limit of 300 ms")
                .containsPattern("(?m)^  quiesce +2 ");
        assertThat(run.out().lines().map(String::length)).allMatch(width -> width <= 100);
        assertThat(run.err()).contains("arcs\n", "rate by chunk size\n", "dirty rate\n", "downtime\n");
    }

    @Test
    void shouldWriteAPageWithoutAnythingFromElsewhereAndLogsWithATagForEachPart() throws Exception {
        Path out = folder.resolve("new").resolve("report");
        CliRun.of(words(SMALL, "--out", out.toString())).succeeds();

        assertThat(out.toFile().list()).containsExactlyInAnyOrder("report.html", "arcs.hlog", "downtime.hlog");
        assertThat(tags(out.resolve("downtime.hlog")))
                .containsExactly("downtime", "stop-VM", "quiesce", "stop-copy", "drain", "load", "resume");
        assertThat(tags(out.resolve("arcs.hlog"))).contains("RUNNING-PRE_COPY", "STOP_COPY-STOP", "RESUMING-STOP");
        assertThat(Files.readString(out.resolve("report.html")))
                .contains("default-src 'none'", "<svg ", SMALL)
                .doesNotContainPattern("(?i)<script|<link|<img|\\bsrc=|\\bhref=|url\\(|@import|\\bon[a-z]+=");
    }

    private static List<String> tags(Path log) throws IOException {
        List<String> tags = new ArrayList<>();
        try (HistogramLogReader reader = new HistogramLogReader(log.toFile())) {
            for (EncodableHistogram next = reader.nextIntervalHistogram();
                    next != null;
                    next = reader.nextIntervalHistogram()) {
                tags.add(next.getTag());
            }
        }
        return tags;
    }

    @ParameterizedTest
    @ValueSource(strings = {"precopy=on,p2p=off", "precopy=off,p2p=on", "precopy=off,p2p=off"})
    void shouldMeasureWhatThereIsWhenTheDeviceHasLess(String keys) {
        Path out = folder.resolve("report");
        CliRun run = CliRun.of(words(SMALL + "," + keys, "--out", out.toString(), "--json"))
                .succeeds();

        assertThat(run.json()).containsEntry("deviceState", "RUNNING");
        assertThat(run.json().get("dirty") == null).isEqualTo(keys.startsWith("precopy=off"));
        assertThat(out.resolve("report.html")).isNotEmptyFile();
    }

    @Test
    void shouldSucceedWhenTheMeasuredValuesAreGoodEnough() {
        CliRun.of(words(SMALL, "--max-downtime", "1h", "--min-throughput", "1KiB/s"))
                .succeeds();
    }

    @Test
    void shouldNotClaimAThroughputThatIsTooSmallToMeasure() {
        CliRun run = CliRun.of(words("emulated:size=4KiB", "--min-throughput", "1KiB/s"))
                .failsWith(ExitCode.MISSED);

        assertThat(run.err()).contains("too small to measure");
    }

    // ---- The folder ----

    @Test
    void shouldTakeAnEmptyFolder() {
        CliRun.of(words(SMALL, "--out", folder.toString())).succeeds();

        assertThat(folder.resolve("report.html")).isNotEmptyFile();
    }

    @Test
    void shouldOverwriteNothing() throws IOException {
        Path mine = Files.writeString(folder.resolve("report.html"), "mine");

        for (Path out : List.of(folder, mine, mine.resolve("below"))) {
            CliRun run = CliRun.of(words(SMALL, "--out", out.toString())).failsWith(ExitCode.USAGE);

            assertThat(run.err()).contains("--out").contains("a folder that can be made, or an empty one");
        }
        assertThat(mine).hasContent("mine");
        assertThat(folder.toFile().list()).containsExactly("report.html");
    }

    @Test
    void shouldLeaveNoFolderBehindWhenItFails() {
        CliRun.of(words("0000:ff:1f.7", "--out", folder.resolve("report").toString()))
                .failsWith(ExitCode.DEVICE);

        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldSayThatTheDiskIsFull() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        assumeTrue(
                BadInputTest.exec("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk.toString()),
                "SKIPPED: a full disk needs a small tmpfs, and this user may not mount one");
        try {
            CliRun run = CliRun.of(words(SMALL, "--out", disk.toString())).failsWith(ExitCode.TRANSPORT);

            assertThat(run.err()).contains("No space left on device").contains("make room");
            assertThat(run.out()).as("the tables").contains("2 of 2 runs");
            assertThat(disk).isEmptyDirectory();
        } finally {
            assertThat(BadInputTest.exec("umount", disk.toString()))
                    .as("umount")
                    .isTrue();
        }
    }

    // ---- Real devices: emulated ones under the names of real ones ----

    /** Kept open beyond the command, so that the devices can be looked at. */
    private final EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);

    @AfterEach
    void closeKernel() {
        kernel.close();
    }

    private Devices host() {
        return new Devices(
                new EmulatedKernel(LibC.system(), System::nanoTime),
                new VfioHost(kernel, folder.resolve("sys"), Path.of("/dev")));
    }

    private EmulatedDevice add(String spec) throws IOException {
        EmulatedDevice device = kernel.add(EmulatedDeviceSpec.parse(spec));
        Path name = Objects.requireNonNull(Path.of(device.cdevPath()).getFileName());
        Path sysfs = Files.createDirectories(
                folder.resolve("sys/class/vfio-dev").resolve(name).resolve("device"));
        for (String link : new String[] {"mdev_type", "driver"}) {
            Files.createSymbolicLink(sysfs.resolve(link), Files.createDirectories(folder.resolve("sys/emulated")));
        }
        return device;
    }

    private CliRun benchWithPeer(EmulatedDevice device, EmulatedDevice peer, String... more) {
        return CliRun.of(host(), wordsWithPeer(device, peer, more));
    }

    private static String[] wordsWithPeer(EmulatedDevice device, EmulatedDevice peer, String... more) {
        List<String> words = new ArrayList<>(
                List.of("bench", device.cdevPath(), "--peer", peer.cdevPath(), "--chunk-sizes", "1MiB", "--json"));
        words.addAll(Arrays.asList(more));
        return words.toArray(String[]::new);
    }

    @ParameterizedTest
    @CsvSource({"--max-downtime, 1ms", "--min-throughput, 1000000GiB/s"})
    void shouldSayWhichLimitIsMissedAndStillReport(String option, String value) throws IOException {
        EmulatedDevice device = add(SMALL);
        device.faults()
                .onArc(Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P, Vfio.VFIO_DEVICE_STATE_STOP_COPY)
                .always()
                .delay(Duration.ofMillis(2));
        Path out = folder.resolve("report");

        CliRun run = CliRun.of(host(), words(device.cdevPath(), option, value, "--json", "--out", out.toString()));

        assertThat(run.exit()).isEqualTo(ExitCode.MISSED.code());
        assertThat(run.err()).containsPattern("(?m)^error: .*" + option);
        assertThat(run.json()).containsEntry("outcome", "missed").containsKeys("runs", "error");
        assertThat(out.resolve("report.html")).isNotEmptyFile();
    }

    @Test
    void shouldMeasureTheSourceAloneWhenThereIsNoPeer() throws IOException {
        EmulatedDevice device = add(SMALL);
        long before = device.digest();

        CliRun run = CliRun.of(host(), words(device.cdevPath(), "--json")).succeeds();

        assertThat(run.err()).contains("no peer: what is said of the downtime is the source's part alone");
        assertThat(run.json())
                .containsEntry("peer", null)
                .containsEntry("downtimeOfSourceOnly", true)
                .doesNotContainKey("peerState");
        assertThat(list(run, "runs")).hasSize(2).allSatisfy(entry -> {
            assertThat(entry).containsEntry("predictedDowntimeNanos", null);
            assertThat(downtime(entry)).containsEntry("loadNanos", 0L).containsEntry("resumeNanos", 0L);
        });
        assertThat(list(run, "arcs"))
                .extracting(entry -> entry.get("to"))
                .contains("STOP_COPY")
                .doesNotContain("RESUMING");
        assertThat(device.digest()).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1", "2", "3"})
    void shouldBringTheStateBackFromThePeerWhateverTheNumberOfRuns(String runs) throws IOException {
        EmulatedDevice device = add(SMALL);
        EmulatedDevice peer = add(SMALL);
        long before = device.digest();

        CliRun run = benchWithPeer(device, peer, "--runs", runs).succeeds();

        assertThat(list(run, "runs")).hasSize(Integer.parseInt(runs));
        assertThat(run.json()).containsEntry("deviceState", "RUNNING").containsEntry("peerState", "RUNNING");
        assertThat(device.digest()).isEqualTo(before);
        assertThat(peer.digest()).as("its own state is lost").isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5, 9, 14, 20})
    void shouldKeepTheStateWhenTheDeviceFails(int nth) throws IOException {
        EmulatedDevice device = add(SMALL);
        EmulatedDevice peer = add(SMALL);
        long before = device.digest();
        device.faults().on(Faults.Kind.READ).nth(nth).fail(Errno.EIO);

        CliRun run = benchWithPeer(device, peer, "--runs", "2").failsWith(ExitCode.DEVICE);

        assertThat(run.err()).contains("EIO").contains("the device is in state RUNNING");
        assertThat(device.digest()).isEqualTo(before);
    }

    @Test
    void shouldBringTheStateBackWhenThePeerFailsWhileItHasIt() throws IOException {
        EmulatedDevice device = add(SMALL);
        EmulatedDevice peer = add(SMALL);
        long before = device.digest();
        // It is only ever read on the way back.
        peer.faults().on(Faults.Kind.READ).nth(1).fail(Errno.EIO);

        CliRun run = benchWithPeer(device, peer, "--runs", "2").failsWith(ExitCode.DEVICE);

        assertThat(run.err()).contains("EIO").contains("the device is in state RUNNING");
        assertThat(device.digest()).isEqualTo(before);
    }

    @Test
    void shouldSayWhereTheStateIsWhenItCannotBeBroughtBack() throws IOException {
        EmulatedDevice device = add(SMALL);
        EmulatedDevice peer = add(SMALL);
        long before = device.digest();
        peer.faults().on(Faults.Kind.READ).always().fail(Errno.EIO);

        CliRun run = benchWithPeer(device, peer, "--runs", "2").failsWith(ExitCode.DEVICE);

        assertThat(run.err())
                .contains("the state of " + device.cdevPath() + " is in the peer, " + peer.cdevPath())
                .contains("the peer is in state RUNNING");
        assertThat(peer.digest()).isEqualTo(before);
    }

    @Test
    void shouldKeepTheStateAndLeaveNoFolderWhenCancelledInAMeasurement() throws Exception {
        EmulatedDevice device = add(SMALL);
        long before = device.digest();
        Path out = folder.resolve("report");
        cancelAtRead(device, words(device.cdevPath(), "--out", out.toString()));

        assertThat(device.digest()).isEqualTo(before);
        assertThat(out).doesNotExist();
    }

    @Test
    void shouldBringTheStateBackWhenCancelledWhileItIsInThePeer() throws Exception {
        EmulatedDevice device = add(SMALL);
        EmulatedDevice peer = add(SMALL);
        long before = device.digest();

        cancelAtRead(peer, wordsWithPeer(device, peer));

        assertThat(device.digest()).isEqualTo(before);
    }

    /** Cancels a command in the moment in which that device is read for the first time. */
    private void cancelAtRead(EmulatedDevice read, String... words) throws Exception {
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch cancelled = new CountDownLatch(1);
        read.faults().on(Faults.Kind.READ).nth(1).run(() -> {
            reading.countDown();
            await(cancelled);
        });
        CliRun run = CliRun.start(host(), words);
        await(reading);
        CompletableFuture<Integer> exit = CompletableFuture.supplyAsync(run::cancel);
        run.awaitErr(Pattern.compile("cancelling \\.\\.\\."));
        cancelled.countDown();

        assertThat(exit.get(60, TimeUnit.SECONDS)).isEqualTo(ExitCode.CANCELLED.code());
        run.failsWith(ExitCode.CANCELLED);
        assertThat(run.err()).contains("the device is in state RUNNING");
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(60, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void shouldRefuseADeviceThatDoesNotRun() throws IOException {
        EmulatedDevice device = add(SMALL);
        device.faults().on(Faults.Kind.GET_STATE).nth(1).run(device::enterError);

        CliRun run = CliRun.of(host(), words(device.cdevPath())).failsWith(ExitCode.DEVICE);

        assertThat(run.err()).contains("begins in RUNNING, and it is in ERROR");
    }

    @Test
    void shouldLeaveNeitherFdsNorThreadsBehind() throws IOException {
        Leftovers.assertNoneOf(() -> CliRun.of(words(SMALL)).succeeds());
    }
}
