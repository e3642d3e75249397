// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.vfio4j.buffer.MemoryBudget;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.handler.DeviceConfig;
import io.vfio4j.migration.handler.DeviceConfig.Order;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.HandlerLoadReport;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.observe.PhaseReport;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Several handlers, of devices and of other state, that switch over together. */
@ExtendWith(LeakCheck.class)
class SeveralHandlersTest {
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("mdev:script", "scripted");
    private static final int STATE_BYTES = 20_000;

    @TempDir
    private Path folder;

    private final ScriptedLibC libc = new ScriptedLibC();
    private final List<ScriptedDevice> scripts = new ArrayList<>();
    private @Nullable TwoSides madeSides;

    @AfterEach
    void closeDevices() {
        scripts.forEach(ScriptedDevice::close);
    }

    private TwoSides sides() {
        if (madeSides == null) {
            madeSides = new TwoSides(libc, folder);
        }
        return madeSides;
    }

    private static MigrationParameters.Builder parameters() {
        return MigrationParameters.builder().chunkBytes(4096).chunks(32).downtimeLimit(Duration.ofSeconds(10));
    }

    private ScriptedDevice source() {
        ScriptedDevice script = new ScriptedDevice(libc);
        scripts.add(script);
        byte fill = (byte) scripts.size();
        script.preCopyState = new byte[STATE_BYTES];
        Arrays.fill(script.preCopyState, fill);
        script.stopCopyState = new byte[] {fill, fill};
        script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 0);
            return 0;
        };
        return script;
    }

    private ScriptedDevice destination() {
        ScriptedDevice script = new ScriptedDevice(libc).in("STOP");
        scripts.add(script);
        return script;
    }

    private VfioDevice open(ScriptedDevice script) throws VfioException {
        return VfioDevice.adopt(libc, script.fd(), "script" + scripts.indexOf(script), IDENTITY);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8})
    void shouldMoveDevicesAndOtherStateTogether(int devices) throws Exception {
        List<StateHandler> from = new ArrayList<>();
        List<StateHandler> to = new ArrayList<>();
        for (int i = 0; i < devices; i++) {
            from.add(new VfioDeviceHandler("device" + i, open(source())));
        }
        for (int i = 0; i < devices; i++) {
            to.addFirst(new VfioDeviceHandler("device" + i, open(destination())));
        }
        TextHandler textThere = new TextHandler("text", "");
        from.add(new TextHandler("text", "hello"));
        to.add(1, textThere);

        MigrationReport report = sides().migrate(from, to, parameters().build()).completed();

        for (int i = 0; i < devices; i++) {
            ScriptedDevice source = scripts.get(i);
            ScriptedDevice destination = scripts.get(devices + i);
            assertThat(destination.loaded).startsWith(source.preCopyState).endsWith(source.stopCopyState);
            assertThat(source.state()).isEqualTo("STOP");
            assertThat(destination.state()).isEqualTo("RUNNING");
        }
        assertThat(textThere.text).isEqualTo("hello");
        assertThat(report.handlers())
                .extracting(HandlerReport::name)
                .containsExactlyElementsOf(from.stream().map(StateHandler::name).toList());
        assertThat(report.handlers().stream()
                        .mapToLong(handler -> handler.preCopyBytes() + handler.stopCopyBytes())
                        .sum())
                .isEqualTo(report.totalBytes());
        assertThat(sides().sourceVm.calls).containsExactly("stop");
        assertThat(sides().sourceVm.prepared).hasValue(1);
        assertThat(sides().destinationVm.calls).containsExactly("resume");
    }

    @Test
    void shouldTellOfTheDevicesArcsWhateverIsThrownThere() throws Exception {
        VfioDevice device = open(source());
        VfioDevice there = open(destination());
        List<String> arcs = hear(device);
        List<String> arcsThere = hear(there);

        sides().migrate(
                        VfioDeviceHandler.inOrder(device),
                        VfioDeviceHandler.inOrder(there),
                        parameters().build())
                .completed();

        assertThat(arcs)
                .containsExactly(
                        "RUNNING → PRE_COPY",
                        "PRE_COPY → PRE_COPY_P2P",
                        "PRE_COPY_P2P → STOP_COPY",
                        "STOP_COPY → STOP");
        assertThat(arcsThere)
                .containsExactly("STOP → RESUMING", "RESUMING → STOP", "STOP → RUNNING_P2P", "RUNNING_P2P → RUNNING");
    }

    private static List<String> hear(VfioDevice device) {
        List<String> arcs = Collections.synchronizedList(new ArrayList<>());
        device.listener(change -> {
            arcs.add(change.from() + " → " + change.to());
            throw new IllegalStateException("a listener that throws");
        });
        return arcs;
    }

    @Test
    void shouldRefuseADeviceWithoutPeerToPeerBesideOthers() throws Exception {
        ScriptedDevice without = source();
        without.features = Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_PRE_COPY;
        ScriptedDevice with = source();

        MigrationException e = sides().migrate(
                        VfioDeviceHandler.inOrder(open(with), open(without)),
                        destinations(2),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageStartingWith("device1: it cannot be kept from peer-to-peer DMA");
        assertThat(with.calls()).doesNotContain("SET PRE_COPY");
        assertThat(without.calls()).doesNotContain("SET PRE_COPY");
        assertThat(sides().sourceVm.calls).isEmpty();
    }

    @Test
    void shouldTakeADeviceWithoutPeerToPeerWhenTheCallerAllowsIt() throws Exception {
        ScriptedDevice without = source();
        ScriptedDevice with = source();
        ScriptedDevice there = destination();
        ScriptedDevice withThere = destination();
        without.features = Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_PRE_COPY;
        there.features = without.features;

        sides().migrate(
                        VfioDeviceHandler.inOrder(open(without), open(with)),
                        VfioDeviceHandler.inOrder(open(there), open(withThere)),
                        parameters().allowDevicesWithoutP2p(true).build())
                .completed();

        assertThat(there.state()).isEqualTo("RUNNING");
        assertThat(withThere.state()).isEqualTo("RUNNING");
    }

    private List<VfioDeviceHandler> destinations(int count) throws VfioException {
        VfioDevice[] devices = new VfioDevice[count];
        for (int i = 0; i < count; i++) {
            devices[i] = open(destination());
        }
        return VfioDeviceHandler.inOrder(devices);
    }

    @Test
    void shouldTakeAllDevicesBackWhenOneOfThemFailsToStop() throws Exception {
        ScriptedDevice good = source();
        ScriptedDevice bad = source();
        bad.failSet("STOP_COPY", Errno.EIO, "PRE_COPY_P2P");

        MigrationException e = sides().migrate(
                        VfioDeviceHandler.inOrder(open(good), open(bad)),
                        destinations(2),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageContaining("script1: setting state STOP_COPY failed: EIO (5)");
        assertThat(good.state()).isEqualTo("RUNNING");
        assertThat(bad.state()).isEqualTo("RUNNING");
        // The way up is two-phase as well.
        assertThat(good.calls()).containsSubsequence("SET STOP_COPY", "SET RUNNING_P2P", "SET RUNNING");
        assertThat(sides().sourceVm.calls).containsExactly("stop", "resume");
        assertThat(scripts.get(2).calls()).contains("RESET");
        assertThat(scripts.get(3).calls()).contains("RESET");
        assertThat(sides().destinationVm.calls).isEmpty();
    }

    @Test
    void shouldNotRunADeviceBesideOneThatStaysStopped() throws Exception {
        ScriptedDevice good = source();
        ScriptedDevice bad = source();
        bad.failSet("STOP_COPY", Errno.EIO, "STOP")
                .failSet("RUNNING_P2P", Errno.EIO, "STOP")
                .failSet("RUNNING_P2P", Errno.EIO, "STOP");

        sides().migrate(
                        VfioDeviceHandler.inOrder(open(good), open(bad)),
                        destinations(2),
                        parameters().build())
                .failed();

        assertThat(bad.state()).isEqualTo("STOP");
        assertThat(good.state()).isEqualTo("RUNNING_P2P");
        assertThat(sides().sourceVm.calls).containsExactly("stop");
        assertThat(sides().sourceEvents.notices)
                .anyMatch(notice -> notice.startsWith("the virtual machine stays stopped"));
    }

    @Test
    void shouldTryTheLastStepUpAgainFromWhereTheOthersAre() throws Exception {
        ScriptedDevice bad = source();
        bad.failSet("STOP_COPY", Errno.EIO, "STOP").failSet("RUNNING", Errno.EIO, "STOP");

        sides().migrate(
                        VfioDeviceHandler.inOrder(open(source()), open(bad)),
                        destinations(2),
                        parameters().build())
                .failed();

        assertThat(bad.state()).isEqualTo("RUNNING");
        assertThat(bad.calls())
                .containsSubsequence("SET RUNNING_P2P", "SET RUNNING", "SET RUNNING_P2P", "SET RUNNING")
                .doesNotContain("SET STOP", "RESET");
        assertThat(sides().sourceVm.calls).containsExactly("stop", "resume");
    }

    @Test
    void shouldStopAllInTwoStepsWhenTheVirtualMachineDoesNotRunAtTheDestination() throws Exception {
        sides().destinationVm.resumeFailure = new IOException("no virtual CPU");

        MigrationException e = sides().migrate(
                        VfioDeviceHandler.inOrder(open(source()), open(source())),
                        destinations(2),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(scripts.subList(2, 4)).allSatisfy(there -> {
            assertThat(there.state()).isEqualTo("STOP");
            assertThat(there.calls()).containsSubsequence("SET RUNNING", "SET RUNNING_P2P", "SET STOP");
        });
        assertThat(sides().incoming().holdsState()).isTrue();
    }

    @Test
    void shouldDiscardAllWhenOneOfThemIsRefusedAtTheDestination() throws Exception {
        ScriptedDevice device = source();
        ScriptedDevice there = destination();
        there.failSet("STOP", Errno.EINVAL, "RESUMING");
        TextHandler textThere = new TextHandler("text", "");

        MigrationException e = sides().migrate(
                        List.of(new VfioDeviceHandler("device0", open(device)), new TextHandler("text", "hello")),
                        List.of(new VfioDeviceHandler("device0", open(there)), textThere),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.PEER_FAILED);
        assertThat(textThere.calls).containsExactly("discard");
        assertThat(there.calls()).contains("RESET");
        assertThat(device.state()).isEqualTo("RUNNING");
        assertThat(sides().sourceVm.runs()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(longs = {ScriptedDevice.ALL, Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_PRE_COPY})
    void shouldNotRunADeviceThatWasResetSinceItWasLoaded(long features) throws Exception {
        ScriptedDevice device = source();
        ScriptedDevice there = destination();
        device.features = features;
        there.features = features;
        VfioDevice openThere = open(there);
        TextHandler text = new TextHandler("text", "") {
            @Override
            public void loadFinish() throws IOException {
                long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
                while (there.loaded == null && System.nanoTime() < end) {
                    Thread.onSpinWait();
                }
                openThere.reset();
            }
        };

        MigrationException e = sides().migrate(
                        List.of(new VfioDeviceHandler("device0", open(device)), new TextHandler("text", "hello")),
                        List.of(new VfioDeviceHandler("device0", openThere), text),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(e).hasMessageContaining("device0: it is in RUNNING, not in STOP");
        assertThat(sides().incoming().holdsState()).isFalse();
        assertThat(there.state()).isEqualTo("STOP");
        assertThat(device.state()).isEqualTo("STOP_COPY");
        assertThat(sides().destinationVm.calls).isEmpty();
    }

    @Test
    void shouldSayThatTheOtherSideGaveUpWhenItWasCancelledThere() throws Exception {
        StateHandler neverDone = new TextHandler("text", "never read") {
            @Override
            public boolean iterates() {
                return true;
            }

            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.requiredBytes(1);
            }
        };
        sides().destinationEvents.at(Phase.RECEIVING, () -> sides().incoming().cancel());

        TwoSides.Outcome outcome = sides().migrate(
                        List.of(neverDone),
                        List.of(new TextHandler("text", "")),
                        parameters().build());

        assertThat(outcome.failed().reason()).isEqualTo(Reason.PEER_FAILED);
        assertThat(outcome.failed()).hasMessageContaining("the migration was cancelled");
        assertThat(outcome.destinationFailure())
                .isNotNull()
                .extracting(MigrationException::reason)
                .isEqualTo(Reason.CANCELLED);
    }

    @Test
    void shouldRefuseDevicesOfWhichOnlySomeRun() throws Exception {
        ScriptedDevice runs = source();
        ScriptedDevice stopped = source().in("STOP");

        MigrationException e = sides().migrate(
                        VfioDeviceHandler.inOrder(open(runs), open(stopped)),
                        destinations(2),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageStartingWith("device1: it is stopped while other devices run");
    }

    /** Names, kinds and numbers of handlers that do not fit are found before anything is touched. */
    @Test
    void shouldSayWhichHandlersAreMissing() throws Exception {
        MigrationException e = sides().migrate(
                        List.of(new TextHandler("a", ""), new TextHandler("b", "")),
                        List.of(new TextHandler("b", ""), new TextHandler("c", "")),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.REFUSED);
        assertThat(e).hasMessageContaining("a is missing here, c is missing at the source");
        assertThat(sides().sourceVm.calls).isEmpty();
    }

    @Test
    void shouldRefuseEqualNames() throws Exception {
        MigrationException e = sides().migrate(
                        List.of(new TextHandler("a", ""), new TextHandler("a", "")),
                        List.of(new TextHandler("a", ""), new TextHandler("a", "")),
                        parameters().build())
                .failed();

        assertThat(e).hasMessage("a: two handlers have this name");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 33})
    void shouldRefuseNumbersOfHandlersThatItCannotHave(int count) throws Exception {
        List<TextHandler> handlers = IntStream.range(0, count)
                .mapToObj(i -> new TextHandler("text" + i, ""))
                .toList();

        MigrationException e =
                sides().migrate(handlers, handlers, parameters().build()).failed();

        assertThat(e).hasMessage("a migration has 1 to 32 handlers, not " + count);
    }

    @Test
    void shouldRefuseTextsThatDoNotFitTheOffer() throws Exception {
        TextHandler text = new TextHandler("x".repeat(97), "");

        MigrationException e = sides().migrate(
                        List.of(text), List.of(text), parameters().build())
                .failed();

        assertThat(e).hasMessageContaining("a handler is described by texts of 1 to 96 bytes");
    }

    @Test
    void shouldRefuseAnotherVersionOfAHandlersState() throws Exception {
        TextHandler newer = new TextHandler("text", "") {
            @Override
            public Description description() {
                return new Description("text", 2, Map.of());
            }
        };

        MigrationException e = sides().migrate(
                        List.of(newer),
                        List.of(new TextHandler("text", "")),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.REFUSED);
        assertThat(e).hasMessageContaining("text: the source's state has version 2, this one loads version 1");
    }

    @Test
    void shouldSayThatManyHandlersNeedMoreMemory() throws Exception {
        List<TextHandler> handlers = IntStream.range(0, 9)
                .mapToObj(i -> new TextHandler("text" + i, ""))
                .toList();

        MigrationException e = sides().migrate(
                        handlers, handlers, parameters().chunks(8).build())
                .failed();

        assertThat(e).hasMessageMatching("9 handlers need (9|18) chunks of memory, and 8 are allowed.*");
    }

    @ParameterizedTest
    @EnumSource
    void shouldLoadTheConfigurationInItsOrder(Order order) throws Exception {
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        ScriptedDevice device = source();
        ScriptedDevice there = destination();
        DeviceConfig saves = new DeviceConfig() {
            @Override
            public void save(ByteBuffer to) {
                seen.add("saved in " + device.state());
                to.putLong(42);
            }

            @Override
            public void load(ByteBuffer from) {
                throw new IllegalStateException("the source loads nothing");
            }
        };
        DeviceConfig loads = new DeviceConfig() {
            @Override
            public void save(ByteBuffer to) {
                throw new IllegalStateException("the destination saves nothing");
            }

            @Override
            public void load(ByteBuffer from) {
                seen.add("loaded " + from.getLong());
            }
        };
        TextHandler last = new TextHandler("text", "hello");
        TextHandler lastThere = new TextHandler("text", "") {
            @Override
            public void loadFinish() {
                seen.add("all loaded");
            }
        };

        sides().migrate(
                        List.of(new VfioDeviceHandler("device0", open(device), saves, order), last),
                        List.of(new VfioDeviceHandler("device0", open(there), loads, order), lastThere),
                        parameters().build())
                .completed();

        assertThat(seen).containsExactlyInAnyOrder("saved in STOP_COPY", "loaded 42", "all loaded");
        if (order != Order.AFTER_ALL) {
            assertThat(seen).containsExactly("saved in STOP_COPY", "loaded 42", "all loaded");
        }
    }

    @Test
    void shouldRefuseConfigurationsInDifferentOrder() throws Exception {
        DeviceConfig config = new DeviceConfig() {
            @Override
            public void save(ByteBuffer to) {}

            @Override
            public void load(ByteBuffer from) {}
        };

        MigrationException e = sides().migrate(
                        List.of(new VfioDeviceHandler("device0", open(source()), config, Order.BEFORE_DATA)),
                        List.of(new VfioDeviceHandler("device0", open(destination()), config, Order.AFTER_ALL)),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageContaining("in the order BEFORE_DATA, this side expects AFTER_ALL");
    }

    @Test
    void shouldConvergeWhenTheLimitIsRaisedMeanwhile() throws Exception {
        ChangingHandler changing = new ChangingHandler("changing") {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                if (iterations.get() == 20) {
                    sides().outgoing()
                            .limits(sides().outgoing().limits().withWhenNotConverging(NotConverging.SWITCH_OVER));
                }
                return super.iterate(out);
            }
        };

        sides().migrate(
                        List.of(changing),
                        List.of(new TextHandler("changing", "")),
                        parameters()
                                .whenNotConverging(NotConverging.KEEP_GOING)
                                .maxPreCopyBytes(1)
                                .build())
                .completed();

        assertThat(changing.iterations).hasValueGreaterThanOrEqualTo(20);
    }

    @Test
    void shouldThrottleTheVirtualMachineMoreAndMore() throws Exception {
        ChangingHandler changing = new ChangingHandler("changing") {
            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                // Every piece is a round. The throttle reaches its end, and then the caller has enough.
                pending.preCopyBytes(1L << 40);
            }

            @Override
            public boolean iterate(StateOutput out) throws IOException {
                if (sides().sourceVm.throttles.contains(99)) {
                    sides().outgoing()
                            .limits(sides().outgoing().limits().withWhenNotConverging(NotConverging.SWITCH_OVER));
                }
                super.iterate(out);
                return false;
            }
        };

        sides().migrate(
                        List.of(changing),
                        List.of(new TextHandler("changing", "")),
                        parameters()
                                .whenNotConverging(NotConverging.THROTTLE)
                                .maxRounds(1)
                                .build())
                .completed();

        assertThat(sides().sourceVm.throttles).containsExactly(20, 30, 40, 50, 60, 70, 80, 90, 99, 0);
    }

    @Test
    void shouldWaitForTheWordBeforeTheSwitchover() throws Exception {
        AtomicInteger progressWhileWaiting = new AtomicInteger();
        sides().sourceEvents.onProgress = () -> {
            if (sides().sourceEvents.phases.getLast() == Phase.WAITING && progressWhileWaiting.incrementAndGet() == 2) {
                assertThat(sides().sourceVm.calls).isEmpty();
                sides().outgoing().proceed();
            }
        };

        sides().migrate(
                        List.of(new VfioDeviceHandler("device0", open(source())), new TextHandler("text", "hello")),
                        List.of(new VfioDeviceHandler("device0", open(destination())), new TextHandler("text", "")),
                        parameters().pauseBeforeSwitchover(true).build())
                .completed();

        assertThat(sides().sourceEvents.phases)
                .containsSubsequence(Phase.PRE_COPY, Phase.WAITING, Phase.STOP_COPY, Phase.COMPLETED);
    }

    @Test
    void shouldGoOnWithPreCopyWhenNewInitialDataComesAfterTheDecision() throws Exception {
        ScriptedDevice device = source();
        AtomicInteger queriesWhenQuiesced = new AtomicInteger();
        device.precopyInfo = (request, info) -> {
            boolean late = device.state().equals("PRE_COPY_P2P") && queriesWhenQuiesced.getAndIncrement() == 0;
            VfioPrecopyInfo.INITIAL_BYTES.set(info, late ? 100 : 0);
            return 0;
        };

        sides().migrate(
                        List.of(new VfioDeviceHandler("device0", open(device))),
                        destinations(1),
                        parameters().build())
                .completed();

        assertThat(sides().sourceVm.calls).containsExactly("stop", "resume", "stop");
        assertThat(device.calls())
                .containsSubsequence("SET PRE_COPY_P2P", "SET PRE_COPY", "SET PRE_COPY_P2P", "SET STOP_COPY");
        assertThat(sides().sourceEvents.notices)
                .contains("the switchover was withdrawn, for new initial data came up in device0");
    }

    @Test
    void shouldWaitForEachAcknowledgement() throws Exception {
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        AtomicInteger wanted = new AtomicInteger(1);
        TextHandler asking = new TextHandler("asking", "hello") {
            private int pieces;

            @Override
            public boolean iterates() {
                return true;
            }

            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.acksWanted(wanted.get());
            }

            @Override
            public boolean iterate(StateOutput out) throws IOException {
                if (pieces == 2) {
                    return false;
                }
                order.add("piece " + pieces);
                wanted.set(++pieces);
                complete(out);
                return true;
            }

            @Override
            public void stop() {
                order.add("stop");
            }
        };
        TextHandler answering = new TextHandler("asking", "") {
            @Override
            public void initialLoaded() {
                order.add("ready");
            }
        };

        sides().migrate(List.of(asking), List.of(answering), parameters().build())
                .completed();

        assertThat(order)
                .startsWith("piece 0")
                .endsWith("stop")
                .filteredOn("ready"::equals)
                .isNotEmpty();
    }

    @Test
    void shouldNotAskForAcknowledgementsThatTheCallerDoesNotWant() throws Exception {
        TextHandler there = new TextHandler("text", "") {
            @Override
            public void initialLoaded() {
                calls.add("initialLoaded");
            }
        };
        TextHandler here = new TextHandler("text", "hello") {
            @Override
            public boolean iterates() {
                return true;
            }

            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.acksWanted(1);
            }
        };

        sides().migrate(
                        List.of(here),
                        List.of(there),
                        parameters().switchoverAck(false).build())
                .completed();

        assertThat(there.calls).isEmpty();
    }

    @Test
    void shouldShareTheRateAmongThoseThatHaveSomethingToSend() throws Exception {
        ChangingHandler one = new ChangingHandler("one");
        ChangingHandler other = new ChangingHandler("other");

        MigrationReport report = sides().migrate(
                        List.of(one, other),
                        List.of(new TextHandler("one", ""), new TextHandler("other", "")),
                        parameters()
                                .maxBytesPerSecond(400)
                                .maxPreCopyBytes(200)
                                .whenNotConverging(NotConverging.SWITCH_OVER)
                                .build())
                .completed();

        assertThat(report.preCopyBytes()).isBetween(200L, 400L);
        assertThat(one.iterations.get()).isCloseTo(other.iterations.get(), org.assertj.core.data.Offset.offset(5));
    }

    @Test
    void shouldShowWhatEachHandlerHasDoneWhileItRuns() throws Exception {
        List<HandlerReport> seen = Collections.synchronizedList(new ArrayList<>());
        List<PhaseReport> phases = Collections.synchronizedList(new ArrayList<>());
        ChangingHandler changing = new ChangingHandler("changing") {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                if (iterations.get() == 10) {
                    seen.addAll(sides().outgoing().statistics());
                    phases.addAll(sides().outgoing().phases());
                }
                return super.iterate(out);
            }
        };

        MigrationReport report = sides().migrate(
                        List.of(changing),
                        List.of(new TextHandler("changing", "")),
                        parameters()
                                .maxPreCopyBytes(1000)
                                .whenNotConverging(NotConverging.SWITCH_OVER)
                                .build())
                .completed();

        long bytes = 10L * "always new".length();
        assertThat(seen).singleElement().satisfies(handler -> {
            assertThat(handler.name()).isEqualTo("changing");
            assertThat(handler.preCopyBytes()).isEqualTo(bytes);
            assertThat(handler.stopCopyBytes()).isZero();
            assertThat(handler.setupNanos()).isPositive();
            assertThat(handler.preCopyNanos()).isPositive();
            assertThat(handler.drainNanos()).isZero();
        });
        assertThat(report.handlers()).singleElement().satisfies(handler -> {
            assertThat(handler.preCopyBytes()).isEqualTo(report.preCopyBytes());
            assertThat(handler.stopCopyBytes()).isEqualTo("always new".length());
        });
        assertThat(phases)
                .extracting(PhaseReport::phase, PhaseReport::bytes)
                .containsExactly(tuple(Phase.SETUP, 0L), tuple(Phase.PRE_COPY, bytes));
        assertThat(sides().outgoing().phases())
                .extracting(PhaseReport::phase, PhaseReport::bytes)
                .containsExactly(
                        tuple(Phase.SETUP, 0L),
                        tuple(Phase.PRE_COPY, report.preCopyBytes()),
                        tuple(Phase.STOP_COPY, report.stopCopyBytes()),
                        tuple(Phase.HANDOVER, 0L));
        assertThat(sides().outgoing().phases()).allMatch(phase -> phase.nanos() > 0);
    }

    @Test
    void shouldShowWhatEachHandlerHasLoadedWhileItRuns() throws Exception {
        List<HandlerLoadReport> seen = Collections.synchronizedList(new ArrayList<>());
        List<StateHandler> from =
                List.of(new VfioDeviceHandler("device", open(source())), new TextHandler("text", "hello"));
        List<StateHandler> to = List.of(
                new TextHandler("text", ""),
                new VfioDeviceHandler("device", open(destination().in("RUNNING"))));
        sides().destinationEvents
                .at(Phase.HANDOVER, () -> seen.addAll(sides().incoming().statistics()));

        TwoSides.Outcome outcome = sides().migrate(from, to, parameters().build());
        LoadReport loaded = Objects.requireNonNull(outcome.loadReport());

        assertThat(seen)
                .extracting(HandlerLoadReport::name, HandlerLoadReport::bytes)
                .containsExactly(tuple("device", STATE_BYTES + 2L), tuple("text", 5L));
        assertThat(seen.getFirst().rehearsalNanos()).isPositive();
        assertThat(seen.getFirst().loadNanos()).isZero();
        assertThat(loaded.handlers()).isEqualTo(sides().incoming().statistics());
        assertThat(loaded.handlers()).first().satisfies(device -> {
            assertThat(device.loadNanos()).isPositive();
            assertThat(device.runningP2pNanos()).isPositive();
            assertThat(device.runningNanos()).isPositive();
        });
        assertThat(sides().incoming().phases())
                .extracting(PhaseReport::phase, PhaseReport::bytes)
                .containsExactly(
                        tuple(Phase.SETUP, 0L), tuple(Phase.RECEIVING, loaded.bytes()), tuple(Phase.HANDOVER, 0L));
    }

    @Test
    void shouldNameTheHandlerThatThrowsWhateverItThrows() throws Exception {
        TextHandler bad = new TextHandler("bad", "") {
            @Override
            public void stop() {
                throw new StackOverflowError("far too deep");
            }
        };
        TextHandler good = new TextHandler("good", "");

        MigrationException e = sides().migrate(
                        List.of(good, bad),
                        List.of(new TextHandler("good", ""), new TextHandler("bad", "")),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageStartingWith("bad: ").hasMessageContaining("far too deep");
        assertThat(sides().sourceVm.calls).containsExactly("stop", "resume");
    }

    @Test
    void shouldUseTheCallersThreadsAndStartNone() throws Exception {
        List<Thread> lent = Collections.synchronizedList(new ArrayList<>());
        MigrationParameters parameters = parameters()
                .executor(work -> {
                    Thread thread = Thread.ofPlatform().name("lent").unstarted(work);
                    lent.add(thread);
                    thread.start();
                })
                .build();
        List<String> names = Collections.synchronizedList(new ArrayList<>());
        TextHandler text = new TextHandler("text", "hello") {
            @Override
            public void stop() {
                names.add(Thread.currentThread().getName());
                Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().startsWith("vfio4j-"))
                        .forEach(thread -> assertThat(lent).contains(thread));
            }
        };

        sides().migrate(List.of(text), List.of(new TextHandler("text", "")), parameters)
                .completed();

        assertThat(names).containsExactly("vfio4j-save-text");
        for (Thread thread : lent) {
            thread.join();
            assertThat(thread.getName()).isEqualTo("lent");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldEndCleanlyWhereverTheCallersExecutorTakesNoMoreWork(boolean atSource) throws Exception {
        boolean completed = false;
        for (int room = 0; !completed; room++) {
            MigrationParameters full =
                    parameters().overlap(Overlap.ON).executor(lending(room)).build();
            MigrationParameters free = parameters().overlap(Overlap.ON).build();
            TwoSides.Outcome outcome = new TwoSides(libc, folder)
                    .migrate(
                            List.of(new TextHandler("a", "1"), new TextHandler("b", "2")),
                            atSource ? full : free,
                            List.of(new TextHandler("a", ""), new TextHandler("b", "")),
                            atSource ? free : full);

            MigrationException failure = atSource ? outcome.sourceFailure() : outcome.destinationFailure();
            completed = failure == null;
            if (failure != null) {
                // Where the source gives up too, the destination may be cancelled meanwhile; what happened is in it,
                // too.
                assertThat(failure).hasStackTraceContaining("no more threads");
            }
            assertThat(room).isLessThan(50);
        }
    }

    /** Has room for so many pieces of work. */
    private static Executor lending(int room) {
        AtomicInteger left = new AtomicInteger(room);
        return work -> {
            if (left.getAndDecrement() <= 0) {
                throw new RejectedExecutionException("no more threads");
            }
            Thread.ofPlatform().name("lent").start(work);
        };
    }

    @Test
    void shouldLetGoOfAHandlerThatHangs() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        Thread[] hanging = new Thread[1];
        TextHandler bad = new TextHandler("bad", "") {
            @Override
            public void quiesce() {
                hanging[0] = Thread.currentThread();
                try {
                    never.await();
                } catch (InterruptedException e) {
                    calls.add("came back");
                }
            }
        };

        MigrationException e = sides().migrate(
                        List.of(new TextHandler("good", ""), bad),
                        parameters().handlerLimit(Duration.ofMillis(200)).build(),
                        List.of(new TextHandler("good", ""), new TextHandler("bad", "")),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageStartingWith("bad: it does not answer");
        assertThat(sides().sourceEvents.notices)
                .anyMatch(notice -> notice.contains("the virtual machine stays stopped"));
        Objects.requireNonNull(hanging[0]).interrupt();
        hanging[0].join();
        assertThat(bad.calls).contains("came back");
    }

    @Test
    void shouldKeepToItsPartOfTheSharedMemory() throws Exception {
        MemoryBudget budget = new MemoryBudget(8 * 4096, 1);
        MigrationParameters parameters = parameters().memory(budget).build();
        List<TextHandler> handlers = IntStream.range(0, 9)
                .mapToObj(i -> new TextHandler("text" + i, ""))
                .toList();

        MigrationException e = sides().migrate(
                        handlers,
                        parameters,
                        List.of(new TextHandler("text", "")),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageMatching("9 handlers need (9|18) chunks of memory, and 8 are allowed.*");
    }

    @Test
    void shouldWaitForMemoryThatAnotherMigrationUses() throws Exception {
        MemoryBudget budget = new MemoryBudget(64 << 10, 1);
        MemoryBudget.Part other = budget.join();
        assertThat(other.take()).isTrue();
        sides().destinationEvents.at(Phase.SETUP, () -> {
            // The source begins once the destination listens.
            Thread.ofPlatform().start(other::close);
        });

        sides().migrate(
                        List.of(new TextHandler("text", "hello")),
                        parameters().memory(budget).build(),
                        List.of(new TextHandler("text", "")),
                        parameters().build())
                .completed();

        MemoryBudget.Part next = budget.join();
        assertThat(next.take()).isTrue();
        next.close();
    }

    @Test
    void shouldSayThatThereIsNoMemoryInTime() throws Exception {
        MemoryBudget budget = new MemoryBudget(64 << 10, 1);
        try (MemoryBudget.Part other = budget.join()) {
            assertThat(other.take()).isTrue();

            MigrationException e = sides().migrate(
                            List.of(new TextHandler("text", "hello")),
                            parameters()
                                    .memory(budget)
                                    .acceptLimit(Duration.ofMillis(50))
                                    .build(),
                            List.of(new TextHandler("text", "")),
                            parameters().build())
                    .failed();

            assertThat(e).hasMessageStartingWith("no memory for 50 ms");
        }
    }

    @Test
    void shouldRecordWhatItDoesForJfr() throws Exception {
        Path file = folder.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("io.vfio4j.DeviceState").withoutThreshold();
            recording.enable("io.vfio4j.Round");
            recording.enable("io.vfio4j.Switchover");
            recording.start();
            sides().migrate(
                            List.of(new VfioDeviceHandler("device0", open(source()))),
                            destinations(1),
                            parameters().build())
                    .completed();
            recording.stop();
            recording.dump(file);
        }

        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(events)
                .filteredOn(event -> event.getEventType().getName().equals("io.vfio4j.DeviceState"))
                .filteredOn(event -> event.getString("device").equals("script0"))
                .extracting(event -> event.getString("target"))
                .containsExactly("PRE_COPY", "PRE_COPY_P2P", "STOP_COPY", "STOP");
        assertThat(events)
                .filteredOn(event -> event.getEventType().getName().equals("io.vfio4j.Round"))
                .isNotEmpty()
                .allMatch(event -> event.getString("handler").equals("device0"));
        assertThat(events)
                .filteredOn(event -> event.getEventType().getName().equals("io.vfio4j.Switchover"))
                .singleElement()
                .satisfies(event -> assertThat(event.getDuration("downtime"))
                        .isEqualTo(event.getDuration("stopVm")
                                .plus(event.getDuration("quiesce"))
                                .plus(event.getDuration("stopCopy"))
                                .plus(event.getDuration("drain"))
                                .plus(event.getDuration("load"))
                                .plus(event.getDuration("resume"))));
    }
}
