// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a flight recording shows of a migration. */
@ExtendWith(LeakCheck.class)
class JfrTest {
    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunkBytes(4096)
            .chunks(6)
            .overlap(Overlap.OFF)
            .downtimeLimit(Duration.ofHours(1))
            .build();
    private static final int CHUNK = 4096;

    @TempDir
    private Path folder;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final ScriptedDevice source = new ScriptedDevice(libc);
    private final ScriptedDevice destination = new ScriptedDevice(libc).in("STOP");
    private TwoSides sides;

    @BeforeEach
    void makeSides() {
        sides = new TwoSides(libc, folder);
        source.preCopyState = new byte[2 * CHUNK + 100];
        source.stopCopyState = new byte[50];
        source.stopCopyLength = 10_000;
        source.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 0);
            VfioPrecopyInfo.DIRTY_BYTES.set(info, 100);
            return 0;
        };
    }

    @AfterEach
    void closeDevices() {
        source.close();
        destination.close();
    }

    /** What is done while a recording is on. */
    @FunctionalInterface
    private interface Recorded {
        void run() throws Exception;
    }

    private List<RecordedEvent> record(Recorded work, String... optional) throws Exception {
        Path file = folder.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            for (String name : optional) {
                recording.enable("io.vfio4j." + name);
            }
            recording.start();
            work.run();
            recording.stop();
            recording.dump(file);
        }
        return RecordingFile.readAllEvents(file).stream()
                .sorted(Comparator.comparing(RecordedEvent::getStartTime))
                .toList();
    }

    private static List<RecordedEvent> named(String name, List<RecordedEvent> events) {
        return events.stream()
                .filter(event -> event.getEventType().getName().equals("io.vfio4j." + name))
                .toList();
    }

    private TwoSides.Outcome migrate() throws Exception {
        return sides.migrate(handlers(source, "source"), handlers(destination, "destination"), PARAMETERS);
    }

    private List<VfioDeviceHandler> handlers(ScriptedDevice script, String name) throws VfioException {
        return VfioDeviceHandler.inOrder(
                VfioDevice.adopt(libc, script.fd(), name, new DeviceIdentity("mdev:script", "scripted")));
    }

    @Test
    void shouldShowEachStepOfAHandler() throws Exception {
        List<RecordedEvent> steps = named("Step", record(() -> migrate().completed()));

        assertThat(stepsOf("prepare", steps))
                .containsExactlyInAnyOrder("prepare", "prepare", "peerToPeer", "isRunning");
        assertThat(stepsOf("save", steps))
                .containsSubsequence("saveSetup", "iterate", "quiesce", "stop", "complete", "release", "cleanup");
        assertThat(stepsOf("load", steps))
                .containsSubsequence(
                        "rehearse", "loadSetup", "load", "loadFinish", "resumeQuiesced", "resume", "cleanup");
        assertThat(steps).allMatch(step -> step.getString("failure") == null);
    }

    private static List<String> stepsOf(String task, List<RecordedEvent> steps) {
        return steps.stream()
                .filter(step -> step.getString("task").equals(task))
                .filter(step -> step.getString("handler").equals("device0"))
                .map(step -> step.getString("step"))
                .toList();
    }

    @Test
    void shouldShowWhyAStepFailed() throws Exception {
        source.failSet("STOP_COPY", Errno.EIO, "PRE_COPY_P2P");

        List<RecordedEvent> steps = named("Step", record(() -> migrate().failed()));

        assertThat(steps)
                .filteredOn(step -> step.getString("failure") != null)
                .filteredOn(step -> step.getString("task").equals("save"))
                .singleElement()
                .satisfies(step -> {
                    assertThat(step.getString("step")).isEqualTo("stop");
                    assertThat(step.getString("failure")).isEqualTo("source: setting state STOP_COPY failed: EIO (5)");
                });
    }

    @Test
    void shouldShowTheMemoryThatTheStateGoesThrough() throws Exception {
        List<RecordedEvent> buffers = named("Buffers", record(() -> migrate().completed()));

        assertThat(buffers).hasSize(2).allSatisfy(event -> {
            assertThat(event.getString("handler")).isEqualTo("device0");
            assertThat(event.getInt("buffers")).isEqualTo(6);
            assertThat(event.getLong("bytesEach")).isEqualTo(CHUNK);
        });
    }

    @Test
    void shouldShowWhatTheVirtualMachinesWereAskedFor() throws Exception {
        assertThat(calls(record(() -> migrate().completed())))
                .containsExactly("prepare switchover null", "stop switchover null", "resume commit null");
    }

    @Test
    void shouldShowWhyTheVirtualMachineRunsAgain() throws Exception {
        sides.sourceVm.stopFailure = new IOException("no stop");

        assertThat(calls(record(() -> migrate().failed())))
                .containsExactly("prepare switchover null", "stop switchover no stop", "resume migration failed null");
    }

    private static List<String> calls(List<RecordedEvent> events) {
        return named("VirtualMachine", events).stream()
                .map(event ->
                        event.getString("call") + " " + event.getString("reason") + " " + event.getString("failure"))
                .toList();
    }

    @Test
    void shouldShowWhatTheDeviceIsTakenThroughToRecover() throws Exception {
        source.failSet("PRE_COPY", Errno.EIO, "RUNNING_P2P").failSet("RUNNING", Errno.EBUSY, "RUNNING_P2P");

        List<RecordedEvent> arcs = named("DeviceState", record(() -> migrate().failed()));

        assertThat(arcs.stream()
                        .filter(arc -> arc.getString("device").equals("source"))
                        .map(arc -> arc.getString("target") + " " + arc.getInt("result")))
                .startsWith("PRE_COPY -5", "RUNNING -16", "RESET 0");
    }

    @Test
    void shouldShowEachPieceAndWhatIsLeftWhenAskedTo() throws Exception {
        List<RecordedEvent> events = record(() -> migrate().completed(), "Piece", "Pending");

        assertThat(bytes(true, events).stream().mapToLong(Long::longValue).sum())
                .isEqualTo(source.preCopyState.length + source.stopCopyState.length);
        assertThat(bytes(false, events)).containsExactlyElementsOf(bytes(true, events));
        List<RecordedEvent> looks = named("Pending", events);
        assertThat(looks).allMatch(look -> look.getString("handler").equals("device0"));
        assertThat(looks.getFirst()).satisfies(look -> {
            assertThat(look.getString("precision")).isEqualTo("EXACT");
            assertThat(look.getLong("thresholdBytes")).isEqualTo(3600L * Bandwidth.UNMEASURED_BYTES_PER_SECOND);
            assertThat(look.getLong("requiredBytes")).isZero();
            assertThat(look.getLong("preCopyBytes")).isEqualTo(100);
            assertThat(look.getLong("stoppedBytes")).isEqualTo(10_000 - 100);
            assertThat(look.getLong("laterBytes")).isZero();
            assertThat(look.getInt("acksWanted")).isEqualTo(1);
        });
        assertThat(looks).extracting(look -> look.getString("precision")).contains("ESTIMATE");
        assertThat(looks.getLast().getString("precision")).isEqualTo("FINAL");
    }

    private static List<Long> bytes(boolean sent, List<RecordedEvent> events) {
        return named("Piece", events).stream()
                .filter(event -> event.getBoolean("sent") == sent)
                .map(event -> event.getLong("bytes"))
                .toList();
    }

    @Test
    void shouldNotShowEachPieceUnlessAskedTo() throws Exception {
        List<RecordedEvent> events = record(() -> migrate().completed());

        assertThat(named("Step", events)).isNotEmpty();
        assertThat(named("Piece", events)).isEmpty();
        assertThat(named("Pending", events)).isEmpty();
    }

    /** The simulated clock makes the waits as long as they are said to be. */
    @Test
    void shouldShowHowLongAHandlerWaitedForTheOtherSide() throws Exception {
        SimulatedPair pair = new SimulatedPair(1);
        Duration slow = Duration.ofMillis(200);
        ChangingHandler fast = new ChangingHandler("bulk") {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                iterations.incrementAndGet();
                PooledBuffer chunk = out.acquire();
                chunk.length(chunk.capacity());
                out.send(chunk);
                return true;
            }
        };
        TextHandler sluggish = new TextHandler("bulk", "") {
            @Override
            public void load(PooledBuffer chunk) {
                pair.world.sleep(slow.toNanos());
            }
        };
        MigrationParameters parameters = MigrationParameters.builder()
                .chunkBytes(CHUNK)
                .chunks(4)
                .overlap(Overlap.OFF)
                .maxPreCopyBytes(40 * CHUNK)
                .whenNotConverging(NotConverging.SWITCH_OVER)
                .build();
        MigrationReport[] report = new MigrationReport[1];

        List<RecordedEvent> stalls = named(
                "Stall",
                record(() -> report[0] = pair.migrate(
                                List.of(fast), List.of(sluggish), parameters, SwitchoverPolicy.STANDARD)
                        .completed()));

        HandlerReport bulk = Objects.requireNonNull(report[0]).handlers().getFirst();
        assertThat(stalls).isNotEmpty().allSatisfy(stall -> {
            assertThat(stall.getString("handler")).isEqualTo("bulk");
            assertThat(stall.getDuration("waited")).isBetween(Duration.ofMillis(20), slow.plusMillis(10));
        });
        assertThat(stalls.stream().map(stall -> stall.getDuration("waited")).reduce(Duration.ZERO, Duration::plus))
                .isEqualTo(Duration.ofNanos(bulk.stalledNanos()));
    }
}
