// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.emulator.Faults;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.stream.FrameKind;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole commands that do what they are for, that are cancelled, or whose device fails. */
class MigratingTest {
    /** Slow enough to be caught in the middle: at this rate it would take more than half a minute. */
    private static final String[] SLOW = {"emulated:size=64MiB", "--max-bandwidth", "2MiB/s"};

    private static final Pattern PRE_COPY = Pattern.compile("(?m)^pre-copy");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "unix"})
    void shouldEndWithEqualDigestsAndTheTableWhenMigrating(String over) {
        CliRun run = CliRun.of("migrate", "emulated:size=8MiB,dirty=1MiB/s", "--over", over)
                .succeeds();

        assertThat(run.out())
                .contains("pre-copy", "stop-copy", "total", "downtime", "quiesce", "drain", "load", "resume")
                .contains("  equal\n");
        assertThat(run.err()).contains("setup", "handover", "completed").doesNotContain("error");
    }

    @Test
    void shouldHaveTheDocumentedFieldsWhenAskedForJson() {
        CliRun run = CliRun.of("migrate", "emulated:size=8MiB", "--json").succeeds();

        Map<String, Object> json = run.json();
        assertThat(json)
                .containsOnlyKeys(
                        "command",
                        "outcome",
                        "exitCode",
                        "source",
                        "destination",
                        "devices",
                        "over",
                        "preCopyBytes",
                        "stopCopyBytes",
                        "totalBytes",
                        "rounds",
                        "preCopyNanos",
                        "totalNanos",
                        "linkBytesPerSecond",
                        "downtimeLimitNanos",
                        "predictedDowntimeNanos",
                        "predictedDowntime",
                        "downtimeNanos",
                        "downtime",
                        "loadedBytes",
                        "receiveNanos",
                        "loadNanos",
                        "resumeNanos",
                        "sourceDigest",
                        "destinationDigest",
                        "digestsEqual",
                        "sourceState",
                        "destinationState")
                .containsEntry("command", "migrate")
                .containsEntry("outcome", "completed")
                .containsEntry("exitCode", 0L)
                .containsEntry("digestsEqual", true)
                .containsEntry("sourceState", "STOP")
                .containsEntry("destinationState", "RUNNING")
                .containsEntry("loadedBytes", json.get("totalBytes"));
        assertThat(json.get("downtime")).isInstanceOfSatisfying(Map.class, parts -> {
            long sum = 0;
            for (Object part : parts.values()) {
                sum += (Long) part;
            }
            assertThat(sum).isEqualTo(json.get("downtimeNanos"));
        });
        assertThat(run.out().lines()).hasSize(1);
        assertThat(run.err()).contains("downtime");
    }

    @Test
    void shouldPrintNothingWhenQuiet() {
        CliRun run = CliRun.of("migrate", "emulated:size=4MiB", "--quiet").succeeds();

        assertThat(run.out() + run.err()).isEmpty();
    }

    @Test
    void shouldHaveOneDigestWhenSavedAndLoaded() {
        String file = "file:" + folder.resolve("state");
        CliRun saved =
                CliRun.of("save", "emulated:size=4MiB,dirty=1MiB/s", file).succeeds();
        CliRun loaded = CliRun.of("load", "emulated:size=4MiB", file).succeeds();

        assertThat(BadInputTest.digest(loaded)).isEqualTo(BadInputTest.digest(saved));
    }

    @Test
    void shouldHaveOneDigestWhenSentAndReceivedAsJson() throws Exception {
        String address = "unix:" + folder.resolve("socket");
        CliRun receiver = CliRun.start("receive", "emulated:size=4MiB", address, "--json");
        assertThat(receiver.awaitListening()).isEqualTo(address);
        CliRun sender = CliRun.of("send", "emulated:size=4MiB,dirty=1MiB/s", address, "--json")
                .succeeds();

        receiver.succeeds();
        assertThat(receiver.json().get("digest"))
                .isNotNull()
                .isEqualTo(sender.json().get("digest"));
        assertThat(receiver.json()).containsEntry("destinationState", "RUNNING");
        assertThat(sender.json()).containsEntry("sourceState", "STOP");
    }

    @Test
    void shouldGiveUpWhenPreCopyDoesNotConverge() {
        CliRun run = CliRun.of(
                        "migrate",
                        "emulated:size=8MiB",
                        "--downtime-limit",
                        "1ms",
                        "--max-time",
                        "1ms",
                        "--max-bandwidth",
                        "20MiB/s",
                        "--json")
                .failsWith(ExitCode.NOT_CONVERGED)
                .leavesSourceRunning();

        assertThat(run.json()).containsEntry("outcome", "failed").containsEntry("sourceState", "RUNNING");
        assertThat((Map<?, ?>) run.json().get("error")).extracting("reason").isEqualTo("not_converged");
    }

    @Test
    void shouldSwitchOverAnywayWhenPreCopyDoesNotConvergeAndItWasAskedTo() {
        CliRun.of(
                        "migrate",
                        "emulated:size=8MiB",
                        "--downtime-limit",
                        "1ms",
                        "--max-rounds",
                        "1",
                        "--on-no-convergence",
                        "switch-over")
                .succeeds();
    }

    @Test
    void shouldFailWhenTheDigestsDiffer() {
        CliRun run = CliRun.of("migrate", "emulated:size=8MiB", "emulated:size=8MiB,dirty=1GiB/s", "--json");

        assertThat(run.exit()).isEqualTo(ExitCode.DIFFERENT.code());
        assertThat(run.err()).contains("DIFFERENT");
        assertThat(run.json()).containsEntry("outcome", "different").containsEntry("digestsEqual", false);
    }

    @Test
    void shouldLeaveTheSourceRunningAndNoFileWhenCancelled() throws Exception {
        CliRun run = CliRun.start("save", SLOW[0], "file:" + folder.resolve("state"), SLOW[1], SLOW[2]);
        run.awaitErr(PRE_COPY);

        assertThat(run.cancel()).isEqualTo(ExitCode.CANCELLED.code());
        run.failsWith(ExitCode.CANCELLED).leavesSourceRunning();
        assertThat(run.err()).contains("cancelling ...");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldEndBothSidesWhenMigrateIsCancelled() throws Exception {
        CliRun run = CliRun.start("migrate", SLOW[0], SLOW[1], SLOW[2], "--json");
        run.awaitErr(PRE_COPY);

        assertThat(run.cancel()).isEqualTo(ExitCode.CANCELLED.code());
        run.failsWith(ExitCode.CANCELLED).leavesSourceRunning();
        assertThat(run.json()).containsEntry("outcome", "cancelled").containsEntry("destinationState", "RUNNING");
    }

    @Test
    void shouldSayThatTheOtherSideGaveUpWhenReceiveIsCancelled() throws Exception {
        CliRun receiver = CliRun.start("receive", SLOW[0], "tcp:127.0.0.1:0");
        CliRun source = CliRun.start("send", SLOW[0], receiver.awaitListening(), SLOW[1], SLOW[2]);
        source.awaitErr(PRE_COPY);

        assertThat(receiver.cancel()).isEqualTo(ExitCode.CANCELLED.code());

        receiver.failsWith(ExitCode.CANCELLED);
        source.failsWith(ExitCode.PEER_FAILED).leavesSourceRunning();
        assertThat(source.err()).contains("see the message at the other side");
    }

    @Test
    void shouldSendWithoutTheKernelsCopy() throws Exception {
        CliRun receiver = CliRun.start("receive", "emulated:size=32MiB", "tcp:127.0.0.1:0", "--json");
        CliRun sender = CliRun.of("send", "emulated:size=32MiB", receiver.awaitListening(), "--zero-copy", "--json")
                .succeeds();
        receiver.succeeds();

        assertThat(sender.json().get("digest"))
                .isNotNull()
                .isEqualTo(receiver.json().get("digest"));
    }

    @Test
    void shouldBeInDoubtWhenCommitIsLost() throws Exception {
        CliRun receiver = CliRun.start("receive", "emulated:size=4MiB", "tcp:127.0.0.1:0", "--json");
        try (CuttingRelay network = new CuttingRelay(receiver.awaitListening(), FrameKind.COMMIT)) {
            CliRun source = CliRun.of("send", "emulated:size=4MiB", network.address());

            source.failsWith(ExitCode.IN_DOUBT);
            assertThat(source.err()).contains("stays stopped").doesNotContain("RUNNING again");
            receiver.failsWith(ExitCode.TRANSPORT);
            assertThat(receiver.json()).containsEntry("destinationState", "RUNNING");
        }
    }

    @Test
    void shouldStopListeningWhenReceiveIsCancelled() throws Exception {
        CliRun run = CliRun.start("receive", SLOW[0], "unix:" + folder.resolve("socket"));
        run.awaitListening();

        assertThat(run.cancel()).isEqualTo(ExitCode.CANCELLED.code());
        run.failsWith(ExitCode.CANCELLED);
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void shouldSayThatTheDeviceIsInUseWhenItIs() {
        EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
        EmulatedDevice device = kernel.add(EmulatedDeviceSpec.parse("emulated:size=4MiB"));
        assertThat(kernel.open(device.groupPath(), LibC.O_RDWR)).isNotNegative();

        CliRun run = CliRun.of(devices(kernel), "send", device.cdevPath(), "tcp:127.0.0.1:1")
                .failsWith(ExitCode.DEVICE);

        assertThat(run.err())
                .contains(device.cdevPath())
                .contains("something else uses")
                .contains("EBUSY");
    }

    @Test
    void shouldKeepTheSourceRunningAndRemoveTheFileWhenItsDeviceFails() {
        EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
        EmulatedDevice device = kernel.add(EmulatedDeviceSpec.parse("emulated:size=4MiB"));
        device.faults().on(Faults.Kind.READ).nth(3).fail(Errno.EIO);

        CliRun run = CliRun.of(devices(kernel), "save", device.cdevPath(), "file:" + folder.resolve("state"))
                .failsWith(ExitCode.DEVICE)
                .leavesSourceRunning();

        assertThat(run.err()).contains("EIO");
        assertThat(folder).isEmptyDirectory();
    }

    /** Emulated devices under the names of real ones. */
    private Devices devices(EmulatedKernel kernel) {
        return new Devices(kernel, new VfioHost(kernel, folder.resolve("sys"), Path.of("/dev")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"keep-stopped", "ask"})
    void shouldHoldTheStateThatNeitherSideRunsWhenAskedTo(String whenInDoubt) throws Exception {
        Path sysfs = Files.createDirectories(folder.resolve("sys/class/vfio-dev/vfio0/device"));
        for (String link : new String[] {"mdev_type", "driver"}) {
            Files.createSymbolicLink(sysfs.resolve(link), Files.createDirectories(folder.resolve("sys/emulated")));
        }
        EmulatedDeviceSpec spec = EmulatedDeviceSpec.parse("emulated:size=4MiB");
        EmulatedKernel here = new EmulatedKernel(LibC.system(), System::nanoTime);
        EmulatedKernel there = new EmulatedKernel(LibC.system(), System::nanoTime);
        EmulatedDevice source = here.add(spec);
        EmulatedDevice destination = there.add(spec);
        // After the two rehearsals.
        destination
                .faults()
                .onArc(Vfio.VFIO_DEVICE_STATE_STOP, Vfio.VFIO_DEVICE_STATE_RUNNING_P2P)
                .nth(3)
                .always()
                .fail(Errno.EIO);
        CliRun receiver = CliRun.start(
                devices(there), "receive", destination.cdevPath(), "tcp:127.0.0.1:0", "--when-in-doubt", whenInDoubt);

        CliRun.of(devices(here), "send", source.cdevPath(), receiver.awaitListening())
                .failsWith(ExitCode.IN_DOUBT);

        receiver.failsWith(ExitCode.DEVICE);
        assertThat(receiver.err())
                .contains("its state is held here")
                .contains("the destination device is in state STOP")
                .contains(
                        whenInDoubt.equals("ask")
                                ? "Has the source been resolved"
                                : "--when-in-doubt ask would have held it");
    }

    @Test
    void shouldShowWhatADeviceCanDoWhenItIsNamed() {
        CliRun run =
                CliRun.of("devices", "emulated:size=8MiB,p2p=off", "--json").succeeds();

        assertThat(run.out())
                .contains(
                        "\"type\":\"emulated:size=8MiB\"",
                        "\"p2p\":false",
                        "\"preCopy\":true",
                        "\"state\":\"RUNNING\"");
        assertThat(run.json()).containsKey("devices");
    }

    @Test
    void shouldSayThatThereIsNoneWhenTheHostHasNoDevice() throws Exception {
        EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
        Path empty = Files.createDirectory(folder.resolve("empty"));
        CliRun run = CliRun.of(new Devices(kernel, new VfioHost(kernel, empty, empty)), "devices")
                .succeeds();

        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("no device of this host");
    }
}
