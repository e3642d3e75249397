// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static io.vfio4j.it.lab.Sides.assertNames;
import static io.vfio4j.it.lab.Sides.assertToldByPeer;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.SwitchoverPolicy.Decision;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One of several devices of a real driver fails on demand: what becomes of the others. */
@Tag("lab")
class SeveralDevicesFaultTest extends BetweenTwoSides {
    private static final int EIO = 5;
    private static final int ENOMEM = 12;
    private static final int EBUSY = 16;

    /** Which of the devices fails. */
    private static final int VICTIM = 1;

    private static final String READ_OR_WRITE_TAKES_LONG =
            Long.toString(Duration.ofSeconds(5).toNanos() / 1000);

    /** In a value, where the last byte of the stream is. */
    private static final String LAST = "LAST";

    private Sides three() throws IOException {
        return sides("full", "full", "full");
    }

    private static String placed(String value, Testdev device) {
        return value.replace(LAST, Long.toString(device.device.stopCopyLength() - 1));
    }

    // ---- at the source, before COMMIT ----

    @ParameterizedTest
    @CsvSource({
        "full, fail_arc, RUNNING PRE_COPY 5, false",
        "full, fail_arc, PRE_COPY PRE_COPY_P2P 5, true",
        "full, fail_arc, PRE_COPY_P2P STOP_COPY 5, true",
        "full, fail_read, 0 5, false",
        "full, fail_read, 1500000 5, false",
        "full, fail_read, LAST 5, true",
        "noprecopy, fail_arc, RUNNING RUNNING_P2P 5, true",
        "noprecopy, fail_arc, STOP STOP_COPY 5, true",
        "noprecopy, fail_read, 1500000 5, true",
    })
    void shouldTakeAllBackTogetherWhenOneFailsAtTheSource(
            String type, String attribute, String value, boolean vmWasStopped) throws Exception {
        Sides sides = sides("full", type, "full");
        Testdev victim = sides.source.devices.get(VICTIM);
        String fault = placed(value, victim);
        victim.mdev.attribute(attribute, fault);

        MigrationException failure = sides.failAtSource();

        assertNames(failure, victim, EIO);
        assertToldByPeer(sides.destinationFailure(), victim, EIO);
        assertThat(victim.mdev.log()).contains(attribute + " " + fault);
        sides.assertTakenBack(vmWasStopped);
        sides.assertMigratesNow();
    }

    @Test
    void shouldTakeAllUpInTwoStepsWhenOneFailsAtTheSource() throws Exception {
        Sides sides = three();
        sides.source.devices.get(VICTIM).mdev.attribute("fail_arc", "PRE_COPY_P2P STOP_COPY 5");
        // Long enough for the others to run, if nothing kept them.
        sides.source.devices.get(2).mdev.attribute("delay_arc", "STOP RUNNING_P2P 150");

        sides.failAtSource();

        PeerToPeerOrder.assertUpInTwoSteps(sides.source.mdevs());
        sides.assertTakenBack(true);
    }

    @Test
    void shouldTellOfEachThatFailsAtTheSource() throws Exception {
        Sides sides = three();
        sides.source.devices.get(0).mdev.attribute("fail_arc", "PRE_COPY_P2P STOP_COPY 5");
        sides.source.devices.get(2).mdev.attribute("fail_arc", "PRE_COPY_P2P STOP_COPY 12");

        MigrationException failure = sides.failAtSource();

        assertNames(failure, sides.source.devices.get(0), EIO);
        assertThat(failure.getSuppressed())
                .singleElement()
                .satisfies(other -> assertNames((MigrationException) other, sides.source.devices.get(2), ENOMEM));
        sides.assertTakenBack(true);
        sides.assertMigratesNow();
    }

    @ParameterizedTest
    @CsvSource({"RUNNING PRE_COPY, false", "PRE_COPY PRE_COPY_P2P, true", "PRE_COPY_P2P STOP_COPY, true"})
    void shouldLoseTheStateOfNoOtherWhenOneGoesToErrorAtTheSource(String arc, boolean vmWasStopped) throws Exception {
        Sides sides = three();
        Testdev victim = sides.source.devices.get(VICTIM);
        victim.mdev.attribute("fail_arc", arc + " 5 1 error");

        MigrationException failure = sides.failAtSource();

        assertNames(failure, victim, EIO);
        assertThat(sides.source.notices)
                .singleElement()
                .asString()
                .contains("had to be reset")
                .contains(victim.name());
        assertThat(victim.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(victim.mdev.log()).containsOnlyOnce("reset");
        assertOthersUntouched(sides, MigrationState.RUNNING);
        assertThat(sides.source.vmCalls).isEqualTo(vmWasStopped ? List.of("stop", "resume") : List.of());
        sides.assertMigratesNow();
    }

    @ParameterizedTest
    @CsvSource({"RUNNING PRE_COPY, false", "PRE_COPY_P2P STOP_COPY, true"})
    void shouldTellWhichOneCouldNotBeResetAtTheSource(String arc, boolean vmWasStopped) throws Exception {
        Sides sides = three();
        Testdev victim = sides.source.devices.get(VICTIM);
        victim.mdev.attribute("fail_arc", arc + " 5 1 error");
        victim.mdev.attribute("fail_reset", Integer.toString(EBUSY));

        MigrationException failure = sides.failAtSource();

        assertNames(failure, victim, EIO);
        assertThat(victim.device.state()).isEqualTo(MigrationState.ERROR);
        assertThat(victim.mdev.log()).contains("fail_reset 16");
        assertThat(sides.source.notices)
                .anySatisfy(notice ->
                        assertThat(notice).contains("could not be taken back").contains(victim.name()));
        // None runs beside one that may be stopped.
        assertOthersUntouched(sides, vmWasStopped ? MigrationState.RUNNING_P2P : MigrationState.RUNNING);
        // A machine with a device that does not run must not run either.
        assertThat(sides.source.vmCalls).isEqualTo(vmWasStopped ? List.of("stop") : List.of());
        for (Testdev each : sides.destination.devices) {
            assertThat(each.device.state()).isEqualTo(MigrationState.RUNNING);
        }

        victim.mdev.attribute("clear_faults", "1");
        victim.device.reset();
        for (Testdev each : sides.source.devices) {
            each.device.setState(MigrationState.RUNNING, MigrationState.STOP);
        }
        sides.assertMigratesNow();
    }

    private static void assertOthersUntouched(Sides sides, MigrationState state) throws IOException {
        sides.source.devices.get(0).assertUntouched(state);
        sides.source.devices.get(2).assertUntouched(state);
    }

    /** Somebody resets a device behind the migration's back. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldTakeTheOthersBackWhenOneIsResetAtTheSource(boolean atStop) throws Exception {
        Sides sides = three();
        Testdev victim = sides.source.devices.get(VICTIM);
        if (atStop) {
            sides.source.onStop(victim.device::reset);
        } else {
            AtomicBoolean done = new AtomicBoolean();
            sides.policy = (forecast, limits) -> {
                try {
                    if (done.compareAndSet(false, true)) {
                        victim.device.reset();
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
                return Decision.CONTINUE;
            };
        }

        MigrationException failure = sides.failAtSource();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageContaining(victim.name());
        assertThat(victim.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(victim.mdev.log()).containsOnlyOnce("reset");
        assertOthersUntouched(sides, MigrationState.RUNNING);
        assertThat(sides.source.vmCalls).isEqualTo(atStop ? List.of("stop", "resume") : List.of());
        for (Testdev each : sides.destination.devices) {
            each.assertReset();
        }
        sides.assertMigratesNow();
    }

    // ---- at the destination, before COMMIT ----

    @ParameterizedTest
    @CsvSource({
        "full, fail_arc, RUNNING RUNNING_P2P 12",
        "full, fail_arc, RUNNING_P2P STOP 12",
        "full, fail_arc, STOP RESUMING 12",
        "full, fail_arc, RESUMING STOP 12",
        "full, fail_write, 0 12",
        "full, fail_write, 1500000 12",
        "full, fail_write, LAST 12",
        "noprecopy, fail_arc, RESUMING STOP 12",
        "noprecopy, fail_write, 1500000 12",
    })
    void shouldTakeAllBackTogetherWhenOneFailsAtTheDestination(String type, String attribute, String value)
            throws Exception {
        Sides sides = sides("full", type, "full");
        Testdev victim = sides.destination.devices.get(VICTIM);
        String fault = placed(value, victim);
        victim.mdev.attribute(attribute, fault);

        MigrationException failure = sides.failAtDestination();

        assertNames(failure, victim, ENOMEM);
        assertToldByPeer(sides.sourceFailure(), victim, ENOMEM);
        assertThat(victim.mdev.log()).contains(attribute + " " + fault);
        sides.assertTakenBack();
        sides.assertMigratesNow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"STOP RESUMING", "RESUMING STOP"})
    void shouldTakeAllBackTogetherWhenOneGoesToErrorAtTheDestination(String arc) throws Exception {
        Sides sides = three();
        Testdev victim = sides.destination.devices.get(VICTIM);
        victim.mdev.attribute("fail_arc", arc + " 12 1 error");

        assertNames(sides.failAtDestination(), victim, ENOMEM);

        sides.assertTakenBack();
        sides.assertMigratesNow();
    }

    @Test
    void shouldTellOfEachThatCouldNotBeResetAtTheDestination() throws Exception {
        Sides sides = three();
        List<Testdev> devices = sides.destination.devices;
        devices.get(VICTIM).mdev.attribute("fail_write", "1500000 12");
        devices.get(0).mdev.attribute("fail_reset", Integer.toString(EBUSY));
        devices.get(2).mdev.attribute("fail_reset", Integer.toString(EBUSY));

        MigrationException failure = sides.failAtDestination();

        assertNames(failure, devices.get(VICTIM), ENOMEM);
        devices.get(VICTIM).assertReset();
        for (Testdev each : List.of(devices.get(0), devices.get(2))) {
            assertThat(sides.destination.notices)
                    .anySatisfy(notice -> assertThat(notice)
                            .contains(each.name())
                            .contains("resetting it failed")
                            .contains("EBUSY"));
            // What must not be: a device that runs with half a state.
            assertThat(each.device.state()).isEqualTo(MigrationState.RESUMING);
        }
        for (Testdev each : sides.source.devices) {
            each.assertUntouched(MigrationState.RUNNING);
        }

        for (Testdev each : devices) {
            each.mdev.attribute("clear_faults", "1");
            each.device.reset();
        }
        sides.assertMigratesNow();
    }

    @ParameterizedTest
    @EnumSource(names = {"RECEIVING", "HANDOVER"})
    void shouldTakeAllBackTogetherWhenOneIsResetAtTheDestination(Phase phase) throws Exception {
        Sides sides = three();
        Testdev victim = sides.destination.devices.get(VICTIM);
        sides.destination.on(phase, victim.device::reset);

        MigrationException failure = sides.failAtDestination();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageContaining(victim.name()).hasMessageContaining("reset");
        assertThat(sides.sourceFailure().reason()).isEqualTo(Reason.PEER_FAILED);
        sides.assertTakenBack();
        sides.assertMigratesNow();
    }

    // ---- at the destination, after COMMIT ----

    @ParameterizedTest
    @CsvSource({
        "STOP RUNNING_P2P, RESUME_SOURCE",
        "STOP RUNNING_P2P, KEEP_STOPPED",
        "RUNNING_P2P RUNNING, RESUME_SOURCE",
        "RUNNING_P2P RUNNING, KEEP_STOPPED",
    })
    void shouldStopAllAndLeaveItInDoubtWhenOneDoesNotRunAfterCommit(String arc, Resolution resolution)
            throws Exception {
        Sides sides = three();
        Testdev victim = sides.destination.devices.get(VICTIM);
        // When all is loaded, because the arcs back to RUNNING are tried before that, too.
        sides.destination.on(Phase.HANDOVER, () -> victim.mdev.attribute("fail_arc", arc + " 5"));

        MigrationException failure = sides.failAtDestination();

        assertNames(failure, victim, EIO);
        assertThat(sides.incoming().holdsState()).isTrue();
        assertThat(sides.destination.notices).singleElement().asString().contains("held here");
        assertInDoubt(sides, victim.name());
        for (int i = 0; i < 3; i++) {
            Testdev there = sides.destination.devices.get(i);
            assertThat(there.device.state()).isEqualTo(MigrationState.STOP);
            assertThat(there.digest()).isEqualTo(sides.source.devices.get(i).digestBefore);
            assertThat(there.mdev.log()).doesNotContain("reset");
        }

        sides.outgoing().resolve(resolution);

        if (resolution == Resolution.RESUME_SOURCE) {
            assertResumed(sides);
        } else {
            assertThat(sides.source.vmCalls).containsExactly("stop");
            for (Testdev each : sides.source.devices) {
                each.assertUntouched(MigrationState.STOP);
            }
            // Whoever runs the destination can get it going with what it holds.
            victim.mdev.attribute("clear_faults", "1");
            for (MigrationState state : List.of(MigrationState.RUNNING_P2P, MigrationState.RUNNING)) {
                for (Testdev each : sides.destination.devices) {
                    each.device.setState(state);
                }
            }
        }
    }

    @Test
    void shouldSayThatTheSourceAloneHoldsItAllWhenOneGoesToErrorAfterCommit() throws Exception {
        Sides sides = three();
        Testdev victim = sides.destination.devices.get(VICTIM);
        sides.destination.on(Phase.HANDOVER, () -> victim.mdev.attribute("fail_arc", "STOP RUNNING_P2P 5 1 error"));

        assertNames(sides.failAtDestination(), victim, EIO);

        assertStateLostAfterCommit(sides, victim.name());
    }

    /** Resets a device when it is loaded, which no listener hears of. */
    private record ResetWhenLoaded(Testdev device) implements StateHandler {
        private static final long WAIT_NANOS = Duration.ofSeconds(60).toNanos();

        @Override
        public String name() {
            return "reset";
        }

        @Override
        public Description description() {
            return new Description("nothing", 1, Map.of());
        }

        @Override
        public void loadFinish() throws IOException {
            long begin = System.nanoTime();
            while (device.device.state() != MigrationState.STOP) {
                assertThat(System.nanoTime() - begin).isLessThan(WAIT_NANOS);
                Thread.onSpinWait();
            }
            device.device.reset();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"full", "nop2p"})
    void shouldNotRunADeviceThatWasResetWhenItHadBeenLoaded(String type) throws Exception {
        Sides sides = sides("full", type, "full");
        sides.parameters.allowDevicesWithoutP2p(true);
        Testdev victim = sides.destination.devices.get(VICTIM);
        sides.source.others.add(new ResetWhenLoaded(victim));
        sides.destination.others.add(new ResetWhenLoaded(victim));

        MigrationException failure = sides.failAtDestination();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageContaining("device1: it is in RUNNING").hasMessageContaining("reset");
        assertStateLostAfterCommit(sides, "device1");
    }

    private static void assertStateLostAfterCommit(Sides sides, String victim) throws Exception {
        assertThat(sides.incoming().holdsState()).isFalse();
        assertThat(sides.destination.notices)
                .singleElement()
                .asString()
                .contains("the source alone")
                .contains("RESUME_SOURCE");
        assertInDoubt(sides, victim);
        for (Testdev each : sides.destination.devices) {
            assertThat(each.device.state()).isEqualTo(MigrationState.STOP);
        }

        sides.outgoing().resolve(Resolution.RESUME_SOURCE);

        assertResumed(sides);
    }

    private static void assertInDoubt(Sides sides, String victim) throws IOException {
        assertThat(sides.sourceFailure().reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(sides.sourceFailure()).hasMessageContaining(victim);
        for (Testdev each : sides.source.devices) {
            each.assertUntouched(MigrationState.STOP_COPY);
        }
        assertThat(sides.source.vmCalls).containsExactly("stop");
        assertThat(sides.destination.vmCalls).isEmpty();
    }

    private static void assertResumed(Sides sides) throws IOException {
        for (Testdev each : sides.source.devices) {
            each.assertUntouched(MigrationState.RUNNING);
        }
        assertThat(sides.source.vmCalls).containsExactly("stop", "resume");
    }

    @Test
    void shouldSayWhichOneWasNotLetGoOfAtTheSourceAfterCommit() throws Exception {
        Sides sides = three();
        Testdev victim = sides.source.devices.get(VICTIM);
        victim.mdev.attribute("fail_arc", "STOP_COPY STOP 5 1");

        sides.complete();

        assertThat(sides.source.notices)
                .singleElement()
                .asString()
                .contains("complete")
                .contains(victim.name())
                .contains("EIO (5)");
        assertThat(sides.source.vmCalls).containsExactly("stop");
    }

    // ---- a driver that does not return ----

    @Test
    void shouldTakeAllBackWhenItIsCancelledWhileADriverReads() throws Exception {
        Sides sides = three();
        sides.source.devices.get(VICTIM).mdev.attribute("delay_read", READ_OR_WRITE_TAKES_LONG);
        Thread canceller = DriverCalls.whenOneBlocks(() -> sides.outgoing().cancel());
        sides.source.on(Phase.PRE_COPY, canceller::start);

        MigrationException failure = sides.failAtSource();

        canceller.join();
        assertThat(failure.reason()).isEqualTo(Reason.CANCELLED);
        // The other side does not wait for the driver to hear why.
        assertThat(sides.destinationFailure().reason()).isIn(Reason.PEER_FAILED, Reason.TRANSPORT);
        sides.assertTakenBack(false);
        sides.assertMigratesNow();
    }

    @Test
    void shouldTakeAllBackWhenItIsCancelledWhileADriverWrites() throws Exception {
        Sides sides = three();
        sides.destination.devices.get(VICTIM).mdev.attribute("delay_write", READ_OR_WRITE_TAKES_LONG);
        Thread canceller = DriverCalls.whenOneBlocks(() -> sides.incoming().cancel());
        sides.destination.on(Phase.RECEIVING, canceller::start);

        MigrationException failure = sides.failAtDestination();

        canceller.join();
        assertThat(failure.reason()).isEqualTo(Reason.CANCELLED);
        assertThat(sides.sourceFailure().reason()).isIn(Reason.PEER_FAILED, Reason.TRANSPORT);
        sides.assertTakenBack();
        sides.assertMigratesNow();
    }

    @Test
    void shouldTakeTheOthersBackWhenADriverDoesNotReturnInTime() throws Exception {
        Sides sides = three();
        Testdev victim = sides.source.devices.get(VICTIM);
        victim.mdev.attribute("delay_read", READ_OR_WRITE_TAKES_LONG);
        sides.parameters.handlerLimit(Duration.ofSeconds(3));

        MigrationException failure = sides.failAtSource();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageStartingWith("device1: it does not answer");
        assertThat(sides.destinationFailure().reason()).isEqualTo(Reason.PEER_FAILED);
        assertOthersUntouched(sides, MigrationState.RUNNING);
        assertThat(sides.source.vmCalls).isEmpty();
        assertThat(sides.source.notices)
                .isNotEmpty()
                .allMatch(notice -> notice.contains("device1: it does not answer"));

        DriverCalls.awaitEndOf("save-device1");
        victim.device.setState(MigrationState.RUNNING);
        victim.assertUntouched(MigrationState.RUNNING);
        sides.parameters.handlerLimit(Duration.ofMinutes(1));
        sides.assertMigratesNow();
    }
}
