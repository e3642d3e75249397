// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PipedReader;
import java.io.PipedWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Several devices in one migration, and what can be changed while it runs. */
class SeveralDevicesTest {
    private static final String BIG = "emulated:size=4MiB,seed=1";
    private static final String SMALL = "emulated:size=1MiB,seed=2";

    /** Changes faster than the rate that it is allowed. */
    private static final String RESTLESS = "emulated:size=4MiB,dirty=64MiB/s";

    @TempDir
    private Path folder;

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> devices(CliRun run) {
        return (List<Map<String, Object>>) Objects.requireNonNull(run.json().get("devices"));
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 32})
    void shouldMigrateAllPairs(int pairs) {
        List<String> arguments = new ArrayList<>(List.of("migrate", "--json"));
        Collections.nCopies(pairs, List.of(SMALL, "emulated:size=1MiB,seed=9")).forEach(arguments::addAll);

        CliRun run = CliRun.of(arguments.toArray(String[]::new)).succeeds();

        assertThat(run.json()).containsEntry("digestsEqual", true).doesNotContainKey("sourceState");
        assertThat(devices(run))
                .hasSize(pairs)
                .allSatisfy(device -> assertThat(device)
                        .containsEntry("source", SMALL)
                        .containsEntry("sourceState", "STOP")
                        .containsEntry("destinationState", "RUNNING")
                        .containsEntry("digestsEqual", true)
                        .containsKeys("preCopyBytes", "stopCopyBytes", "rounds", "quiesceNanos", "drainNanos")
                        .containsKeys("setupNanos", "preCopyNanos", "rehearsalNanos", "loadNanos")
                        .containsKeys("runningP2pNanos", "runningNanos"));
        assertThat(devices(run))
                .extracting(device -> ((Number) Objects.requireNonNull(device.get("loadedBytes"))).longValue())
                .allMatch(bytes -> bytes >= 1 << 20);
        assertThat(devices(run)).extracting(device -> device.get("name")).contains("device0", "device1");
        assertThat(run.err()).containsPattern("device1 +[0-9.]+ [KM]iB");
    }

    @Test
    void shouldKeepTheFieldsOfALoneDevice() {
        CliRun run = CliRun.of("migrate", SMALL, "--json").succeeds();

        assertThat(run.json())
                .containsEntry("source", SMALL)
                .containsEntry("sourceState", "STOP")
                .containsEntry("digestsEqual", true);
        assertThat(devices(run))
                .singleElement()
                .satisfies(device -> assertThat(device)
                        .containsEntry("name", "device0")
                        .containsEntry("sourceDigest", run.json().get("sourceDigest")));
        assertThat(run.err()).doesNotContain("device0");
    }

    @Test
    void shouldSendAndReceiveSeveralDevices() throws Exception {
        CliRun receiver = CliRun.start("receive", BIG, SMALL, "tcp:127.0.0.1:0", "--json");
        CliRun sender = CliRun.of("send", BIG, SMALL, receiver.awaitListening(), "--json")
                .succeeds();
        receiver.succeeds();

        assertThat(devices(sender))
                .extracting(device -> device.get("digest"))
                .containsExactlyElementsOf(devices(receiver).stream()
                        .map(device -> device.get("digest"))
                        .toList())
                .doesNotContainNull();
        assertThat(devices(receiver))
                .extracting(device -> device.get("destinationState"))
                .containsOnly("RUNNING");
        assertThat(devices(receiver))
                .allSatisfy(device ->
                        assertThat(device).containsKeys("loadedBytes", "loadNanos", "runningP2pNanos", "runningNanos"));
    }

    @Test
    void shouldSaveAndLoadSeveralDevices() {
        String file = "file:" + folder.resolve("state");
        CliRun saved = CliRun.of("save", BIG, SMALL, file).succeeds();
        CliRun loaded = CliRun.of("load", BIG, SMALL, file).succeeds();

        List<String> digests = saved.out()
                .lines()
                .filter(line -> line.matches("(digest)? +[0-9a-f]{16}  device[01]"))
                .toList();
        assertThat(digests).hasSize(2);
        assertThat(loaded.out()).contains(digests).containsPattern("received +load +RUNNING_P2P +RUNNING\\ndevice0 +4");
    }

    @Test
    void shouldNameTheDeviceThatDoesNotFit() throws Exception {
        CliRun receiver = CliRun.start("receive", BIG, BIG, "tcp:127.0.0.1:0");
        CliRun sender = CliRun.of("send", BIG, SMALL, receiver.awaitListening()).failsWith(ExitCode.REFUSED);
        receiver.failsWith(ExitCode.REFUSED);

        assertThat(sender.err())
                .contains("device1: the source's device is")
                .contains(
                        "the source device emulated:size=4MiB is in state RUNNING",
                        "the source device " + SMALL + " is in state RUNNING");
    }

    @Test
    void shouldSayWhichDeviceIsMissing() throws Exception {
        CliRun receiver = CliRun.start("receive", BIG, "tcp:127.0.0.1:0");
        CliRun sender = CliRun.of("send", BIG, SMALL, receiver.awaitListening()).failsWith(ExitCode.REFUSED);
        receiver.failsWith(ExitCode.REFUSED);

        assertThat(sender.err()).contains("device1 is missing here");
    }

    @Test
    void shouldRefuseADeviceWithoutPeerToPeerBesideOthersUnlessThatIsAllowed() {
        String without = "emulated:size=1MiB,p2p=off";

        CliRun refused = CliRun.of("migrate", SMALL, SMALL, without, without).failsWith(ExitCode.DEVICE);

        assertThat(refused.err()).contains("device1: it cannot be kept from peer-to-peer DMA");
        CliRun.of("migrate", SMALL, SMALL, without, without, "--allow-devices-without-p2p")
                .succeeds();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "migrate emulated:size=1MiB emulated:size=1MiB emulated:size=1MiB | 3 devices make no pairs",
                "send /dev/vfio/devices/vfio0 /dev/vfio/devices/vfio0 tcp:a:1 | /dev/vfio/devices/vfio0 is named twice",
                "send tcp:a:1 tcp:a:1 | for DEVICE: 'tcp:a:1' names no VFIO device",
                "send emulated:size=1MiB emulated:size=1MiB | for PEER: 'emulated:size=1MiB' names no peer",
                "save emulated:size=1MiB tcp:a:1 | for FILE: 'tcp:a:1' names no file",
                "send emulated:size=1MiB | Missing required parameter",
                "migrate --pause-before-switchover | needs --control",
                "migrate --on-no-convergence throttle | 'throttle' is none of keep-going, switch-over, give-up",
                "send emulated:size=1MiB tcp:a:1 --control --when-in-doubt ask | both read standard input",
                "migrate --max-precopy-bytes lots | lots",
                "migrate --device-timeout 0s | more than 0",
            })
    void shouldSayWhatIsWrongWithTheCommandLine(String line, String message) {
        CliRun run = CliRun.of(line.strip().split(" "));

        assertThat(run.exit()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains(message.strip()).doesNotContain("Exception");
        assertThat(run.out()).isEmpty();
    }

    @Test
    void shouldRefuseMoreDevicesThanOneMigrationTakes() {
        List<String> arguments = new ArrayList<>(List.of("save"));
        arguments.addAll(Collections.nCopies(33, SMALL));
        arguments.add("file:state");

        CliRun run = CliRun.of(arguments.toArray(String[]::new));

        assertThat(run.exit()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains("33 devices are too many; use at most 32");
    }

    /** A migration that would never end, and somebody who writes to its standard input. */
    private static final class Controlled implements AutoCloseable {
        private final PipedWriter input = new PipedWriter();
        private final CliRun run;

        Controlled(String... more) throws IOException {
            List<String> arguments = new ArrayList<>(List.of(
                    "migrate",
                    RESTLESS,
                    "--control",
                    "--max-bandwidth",
                    "16MiB/s",
                    "--downtime-limit",
                    "1ms",
                    "--on-no-convergence",
                    "keep-going",
                    "--progress",
                    "plain"));
            arguments.addAll(List.of(more));
            PipedReader reader = new PipedReader(input);
            run = CliRun.start(null, reader, arguments.toArray(String[]::new));
        }

        void say(String line) throws IOException {
            input.write(line + "\n");
            input.flush();
        }

        void awaitErr(String text) throws InterruptedException {
            run.awaitErr(Pattern.compile(Pattern.quote(text)));
        }

        @Override
        public void close() throws IOException {
            input.close();
        }
    }

    @Test
    void shouldChangeLimitsWhileItRuns() throws Exception {
        try (Controlled controlled = new Controlled()) {
            controlled.awaitErr("pre-copy");
            controlled.say("downtime-limit soon");
            controlled.awaitErr("note: downtime-limit: 'soon' is no duration");
            controlled.say("fly away");
            controlled.awaitErr("note: 'fly' is no command; use downtime-limit");
            controlled.say("status");
            controlled.awaitErr("note: device0: ");
            // Still slower than it changes.
            controlled.say("max-bandwidth 17MiB/s");
            controlled.awaitErr("note: max-bandwidth 17MiB/s: done");
            controlled.say("max-rounds 1");
            controlled.say("max-time 1h");
            controlled.say("max-precopy-bytes 1MiB");
            controlled.awaitErr("note: max-precopy-bytes 1MiB: done");
            controlled.say("on-no-convergence switch-over");
            controlled.run.succeeds();
        }
    }

    @Test
    void shouldCancelByCommand() throws Exception {
        try (Controlled controlled = new Controlled()) {
            controlled.awaitErr("pre-copy");
            controlled.say("cancel");
            controlled.run.failsWith(ExitCode.CANCELLED);
        }
    }

    @Test
    void shouldPauseUntilItIsToldToProceed() throws Exception {
        try (Controlled controlled = new Controlled("--pause-before-switchover")) {
            controlled.awaitErr("pre-copy");
            controlled.say("downtime-limit 1h");
            controlled.awaitErr("waiting");
            controlled.say("proceed");
            controlled.run.succeeds();
        }
    }

    @Test
    void shouldNotWaitForAWordThatCannotComeAnyMore() throws Exception {
        try (Controlled controlled = new Controlled("--pause-before-switchover")) {
            controlled.awaitErr("pre-copy");
            controlled.close();
            controlled.run.failsWith(ExitCode.CANCELLED);
            assertThat(controlled.run.err()).contains("nobody can say 'proceed' any more");
        }
    }
}
