// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Everything that can come to a command from outside and be wrong: one clear line, its exit code, nothing left over.
 */
class BadInputTest {
    private static final String DEVICE = "emulated:size=4MiB,dirty=64KiB/s";
    private static final int VERSION_END = 5;
    private static final byte[] GARBAGE =
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".getBytes(US_ASCII);

    @TempDir
    private Path folder;

    // Devices

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/dev/vfio/devices/vfio4095",
                "/dev/vfio/4095/0000:ff:1f.7",
                "0000:ff:1f.7",
                "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
                "/sys/bus/pci/devices/0000:ff:1f.7"
            })
    void shouldNameTheDeviceWhenItIsNotThere(String device) {
        CliRun run = CliRun.of("send", device, "tcp:127.0.0.1:1").failsWith(ExitCode.DEVICE);
        CliRun bench = CliRun.of("bench", device).failsWith(ExitCode.DEVICE);

        assertThat(run.err()).contains(device).contains("no such device");
        assertThat(bench.err()).contains(device).contains("no such device");
    }

    // The peer, seen from the source

    @Test
    void shouldSayToStartTheReceiverWhenNobodyListens() throws Exception {
        String address;
        try (TestPeer peer = TestPeer.silent()) {
            address = peer.address();
        }
        CliRun run =
                CliRun.of("send", DEVICE, address).failsWith(ExitCode.TRANSPORT).leavesSourceRunning();

        assertThat(run.err()).contains(address).contains("start the receiving side first");
    }

    @Test
    void shouldSayToStartTheReceiverWhenThereIsNoUnixSocket() {
        CliRun run = CliRun.of("send", DEVICE, "unix:" + folder.resolve("nobody"))
                .failsWith(ExitCode.TRANSPORT)
                .leavesSourceRunning();

        assertThat(run.err()).contains("nobody");
    }

    @Test
    void shouldNameTheHostWhenItIsUnknown() {
        CliRun run = CliRun.of("send", DEVICE, "tcp:no-such-host.invalid:4444")
                .failsWith(ExitCode.TRANSPORT)
                .leavesSourceRunning();

        assertThat(run.err()).contains("no-such-host.invalid").contains("unknown host");
    }

    @Test
    void shouldSayThatItIsNoVfio4jWhenThePeerAnswersGarbage() throws Exception {
        try (TestPeer peer = TestPeer.saying(GARBAGE)) {
            CliRun run = CliRun.of("send", DEVICE, peer.address())
                    .failsWith(ExitCode.PROTOCOL)
                    .leavesSourceRunning();

            assertThat(run.err()).contains("no stream of vfio4j").contains("same version of vfio4j on both sides");
        }
    }

    @Test
    void shouldNameBothVersionsWhenThePeerHasAnother() throws Exception {
        try (TestPeer peer = TestPeer.saying(Frames.ofOtherVersion())) {
            CliRun run = CliRun.of("send", DEVICE, peer.address())
                    .failsWith(ExitCode.PROTOCOL)
                    .leavesSourceRunning();

            assertThat(run.err()).contains("version 99").contains("version 3");
        }
    }

    @Test
    void shouldEndInTimeWhenThePeerIsSilent() throws Exception {
        try (TestPeer peer = TestPeer.silent()) {
            long begin = System.nanoTime();
            CliRun run = CliRun.of("send", DEVICE, peer.address(), "--peer-timeout", "300ms")
                    .failsWith(ExitCode.TRANSPORT)
                    .leavesSourceRunning();

            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(20));
            assertThat(run.err()).contains("silent for 300 ms").contains("--peer-timeout");
        }
    }

    @Test
    void shouldSayWhereToLookWhenThePeerHangsUp() throws Exception {
        try (TestPeer peer = TestPeer.closing()) {
            CliRun run = CliRun.of("send", DEVICE, peer.address())
                    .failsWith(ExitCode.TRANSPORT)
                    .leavesSourceRunning();

            assertThat(run.err()).contains(peer.address());
        }
    }

    @Test
    void shouldTellBothSidesWhenTheDevicesDoNotFit() throws Exception {
        CliRun receiver = CliRun.start("receive", "emulated:size=8MiB", "tcp:127.0.0.1:0");
        CliRun source = CliRun.of("send", DEVICE, receiver.awaitListening())
                .failsWith(ExitCode.REFUSED)
                .leavesSourceRunning();

        receiver.failsWith(ExitCode.REFUSED);
        assertThat(source.err()).contains("refuses").contains("same type");
        assertThat(receiver.err()).contains("the source's device is");
    }

    // The peer, seen from the destination

    @Test
    void shouldRefuseWhenTheSourcesDeviceIsOfAnotherType() throws Exception {
        CliRun run = CliRun.start("receive", DEVICE, "tcp:127.0.0.1:0");
        try (Socket socket = TestPeer.connect(run.awaitListening(), Frames.hello("mdev:mtty-mtty-2", "mtty", 1))) {
            run.failsWith(ExitCode.REFUSED);

            assertThat(run.err()).contains("mdev:mtty-mtty-2 (mtty)").contains("same type");
            assertThat(socket.getInputStream().readAllBytes()).as("REFUSE").hasSizeGreaterThan(32);
        }
    }

    @Test
    void shouldNameBothVersionsWhenTheSourceHasAnother() throws Exception {
        CliRun run = CliRun.start("receive", DEVICE, "tcp:127.0.0.1:0");
        try (Socket socket = TestPeer.connect(run.awaitListening(), Frames.ofOtherVersion())) {
            run.failsWith(ExitCode.PROTOCOL);

            assertThat(run.err()).contains("version 99").contains("version 3");
            assertThat(socket.getInputStream().readAllBytes()).as("REFUSE").hasSizeGreaterThan(32);
        }
    }

    @Test
    void shouldTurnGarbageAwayAndGoOnWhenItComesToThePort() throws Exception {
        CliRun receiver = CliRun.start("receive", "emulated:size=4MiB", "tcp:127.0.0.1:0");
        String address = receiver.awaitListening();
        try (Socket garbage = TestPeer.connect(address, GARBAGE)) {
            receiver.awaitErr(Pattern.compile("(?m)^note: turned away .*no stream of vfio4j"));
            CliRun source = CliRun.of("send", DEVICE, address).succeeds();

            receiver.succeeds();
            assertThat(garbage.isConnected()).isTrue();
            assertThat(digest(receiver)).isEqualTo(digest(source));
        }
    }

    @Test
    void shouldEndInTimeWhenNoSourceComes() {
        CliRun run = CliRun.of("receive", DEVICE, "tcp:127.0.0.1:0", "--accept-timeout", "200ms")
                .failsWith(ExitCode.TRANSPORT);

        assertThat(run.err()).contains("nobody connected in time").contains("--accept-timeout");
    }

    @Test
    void shouldSayWhatStandsInTheWayWhenTheSocketExists() throws IOException {
        Path socket = Files.createFile(folder.resolve("taken"));
        CliRun run = CliRun.of("receive", DEVICE, "unix:" + socket).failsWith(ExitCode.TRANSPORT);

        assertThat(run.err()).contains("remove it if nobody listens there");
        assertThat(socket).exists();
    }

    @Test
    void shouldNameThePortWhenItIsInUse() throws Exception {
        try (TestPeer peer = TestPeer.silent()) {
            CliRun run = CliRun.of("receive", DEVICE, peer.address()).failsWith(ExitCode.TRANSPORT);

            assertThat(run.err()).contains(peer.address()).contains("cannot listen");
        }
    }

    // Files

    @Test
    void shouldKeepTheFileWhenOneExistsAlready() throws IOException {
        Path file = Files.writeString(folder.resolve("state"), "mine");
        CliRun run = CliRun.of("save", DEVICE, "file:" + file)
                .failsWith(ExitCode.TRANSPORT)
                .leavesSourceRunning();

        assertThat(run.err()).contains("exists already");
        assertThat(file).hasContent("mine");
        assertThat(filesLeft()).containsExactly("state");
    }

    @Test
    void shouldNameTheFolderWhenItIsNotThere() {
        Path file = folder.resolve("nowhere").resolve("state");
        CliRun run = CliRun.of("save", DEVICE, "file:" + file)
                .failsWith(ExitCode.TRANSPORT)
                .leavesSourceRunning();

        assertThat(run.err()).contains("nowhere").contains("cannot be made");
    }

    @Test
    void shouldLeaveNoFileWhenTheDiskIsFull() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        assumeTrue(
                exec("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.toString()),
                "SKIPPED: a full disk needs a small tmpfs, and this user may not mount one");
        try {
            CliRun run = CliRun.of("save", DEVICE, "file:" + disk.resolve("state"))
                    .failsWith(ExitCode.TRANSPORT)
                    .leavesSourceRunning();

            assertThat(run.err()).contains("No space left on device").contains("make room");
            assertThat(disk).isEmptyDirectory();
        } finally {
            assertThat(exec("umount", disk.toString())).as("umount").isTrue();
        }
    }

    @Test
    void shouldSayThatThereIsNoFileWhenThereIsNone() {
        CliRun run = CliRun.of("load", DEVICE, "file:" + folder.resolve("none")).failsWith(ExitCode.TRANSPORT);

        assertThat(run.err()).contains("no such file");
    }

    @Test
    void shouldSayThatItIsNoVfio4jWhenTheFileIsGarbage() throws IOException {
        byte[] garbage = new byte[100_000];
        new Random(1).nextBytes(garbage);
        Path file = Files.write(folder.resolve("garbage"), garbage);
        CliRun run = CliRun.of("load", DEVICE, "file:" + file).failsWith(ExitCode.PROTOCOL);

        assertThat(run.err()).contains("no stream of vfio4j");
        assertThat(run.err()).contains("the destination device is in state RUNNING");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 31, 32, 60, 5_000, 2_000_000})
    void shouldSayThatItIsCutShortWhenTheFileIs(int length) throws IOException {
        Path file = saved();
        byte[] whole = Files.readAllBytes(file);
        CliRun run = load(Arrays.copyOf(whole, length)).failsWith(ExitCode.TRANSPORT);

        assertThat(run.err()).contains("the file is cut short");
        assertThat(run.err()).contains("the destination device is in state RUNNING");
    }

    @Test
    void shouldSayThatItIsCutShortWhenOnlyTheLastByteIsMissing() throws IOException {
        byte[] whole = Files.readAllBytes(saved());
        load(Arrays.copyOf(whole, whole.length - 1)).failsWith(ExitCode.TRANSPORT);
    }

    @Test
    void shouldRefuseWhenBytesFollowTheEnd() throws IOException {
        byte[] whole = Files.readAllBytes(saved());
        CliRun run = load(Arrays.copyOf(whole, whole.length + 1)).failsWith(ExitCode.DAMAGED);

        assertThat(run.err()).contains("behind the end");
    }

    static IntStream seeds() {
        return IntStream.range(0, 12);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void shouldNoticeWhenAByteOfTheFileIsAltered(int seed) throws IOException {
        byte[] altered = Files.readAllBytes(saved());
        Random random = new Random(seed);
        // Half of the seeds hit the first frames, where all the kinds of field are.
        int at = random.nextInt(seed % 2 == 0 ? 200 : altered.length);
        altered[at] ^= (byte) (1 << random.nextInt(8));

        CliRun run = load(altered);

        // The first frame says what the file is, and that is looked at before its checksum.
        run.failsWith(at < VERSION_END ? ExitCode.PROTOCOL : ExitCode.DAMAGED);
        assertThat(run.err()).contains("the destination device is in state RUNNING");
    }

    private Path saved() throws IOException {
        Path file = folder.resolve("state");
        CliRun.of("save", "emulated:size=4MiB", "file:" + file).succeeds();
        assertThat(filesLeft()).containsExactly("state");
        return file;
    }

    private CliRun load(byte[] contents) throws IOException {
        Path file = Files.write(folder.resolve("copy"), contents);
        return CliRun.of("load", "emulated:size=4MiB", "file:" + file);
    }

    private List<String> filesLeft() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .sorted()
                    .toList();
        }
    }

    static String digest(CliRun run) {
        return run.out()
                .lines()
                .filter(line -> line.startsWith("digest "))
                .map(line -> line.substring("digest ".length()).strip())
                .findFirst()
                .orElseThrow();
    }

    static boolean exec(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0;
    }
}
