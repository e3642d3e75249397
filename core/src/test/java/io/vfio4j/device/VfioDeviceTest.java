// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import static io.vfio4j.device.MigrationState.ERROR;
import static io.vfio4j.device.MigrationState.PRE_COPY;
import static io.vfio4j.device.MigrationState.PRE_COPY_P2P;
import static io.vfio4j.device.MigrationState.RESUMING;
import static io.vfio4j.device.MigrationState.RUNNING;
import static io.vfio4j.device.MigrationState.RUNNING_P2P;
import static io.vfio4j.device.MigrationState.STOP;
import static io.vfio4j.device.MigrationState.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.tuple;

import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The sequence of arcs, in the manner of Cloud Hypervisor's MockVfio: what is asked of the device, and what the caller
 * gets.
 */
@ExtendWith(LeakCheck.class)
class VfioDeviceTest {
    private final ScriptedLibC libc = new ScriptedLibC();
    private ScriptedDevice script;
    private VfioDevice device;

    @BeforeEach
    void adopt() throws VfioException {
        script = new ScriptedDevice(libc);
        device = VfioDevice.adopt(libc, script.fd(), "dev", DeviceIdentity.UNKNOWN);
        script.calls();
    }

    @AfterEach
    void close() {
        script.close();
    }

    @Test
    void shouldOnlySetTheTargetWhenItSucceeds() throws VfioException {
        device.setState(STOP, RUNNING);

        assertThat(script.calls()).containsExactly("SET STOP");
    }

    @Test
    void shouldReachTheRecoverStateWhenTheTargetFails() {
        script.failSet("STOP", Errno.EIO, "RUNNING_P2P");

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertThat(script.calls()).containsExactly("SET STOP", "GET", "SET RUNNING");
        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
        assertThat(e.stateAfter()).isEqualTo(RUNNING);
        assertThat(e.deviceWasReset()).isFalse();
        assertThat(e.getSuppressed()).isEmpty();
    }

    @Test
    void shouldResetWhenTheRecoverStateFailsToo() {
        script.failSet("STOP", Errno.EIO, "RUNNING_P2P").failSet("RUNNING", Errno.EFAULT, "ERROR");

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertThat(script.calls()).containsExactly("SET STOP", "GET", "SET RUNNING", "RESET", "GET");
        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
        assertThat(e.stateAfter()).isEqualTo(RUNNING);
        assertThat(e.deviceWasReset()).isTrue();
        assertThat(e.getSuppressed())
                .singleElement()
                .satisfies(s -> assertThat(s).hasMessageContaining("setting state RUNNING to recover failed: EFAULT"));
    }

    @Test
    void shouldRefuseEverythingWhenItIsClosed() {
        device.close();
        device.close();

        assertThatThrownBy(device::state)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("dev: it is closed");
        assertThatThrownBy(() -> device.setState(STOP)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(device::stopCopyLength).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(device::reset).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(device::deviceFd).isInstanceOf(IllegalStateException.class);
        assertThat(script.calls()).isEmpty();
    }

    @Test
    void shouldTryTheNextRecoverStateWhenTheFirstFails() {
        script.failSet("STOP_COPY", Errno.EIO, "PRE_COPY_P2P").failSet("STOP", Errno.EBUSY, "PRE_COPY_P2P");

        VfioException e = failing(() -> device.startSaving(STOP_COPY, STOP, RUNNING));

        assertThat(script.calls()).containsExactly("SET STOP_COPY", "GET", "SET STOP", "GET", "SET RUNNING");
        assertOriginal(e, "dev: setting state STOP_COPY failed: EIO (5)", Errno.EIO);
        assertThat(e.stateAfter()).isEqualTo(RUNNING);
        assertThat(e.deviceWasReset()).isFalse();
        assertThat(e.getSuppressed())
                .singleElement()
                .satisfies(s -> assertThat(s).hasMessageContaining("setting state STOP to recover failed: EBUSY"));
    }

    @Test
    void shouldKeepTheOriginalErrorWhenTheResetFailsToo() {
        script.failSet("STOP", Errno.EIO, "ERROR");
        script.resetResult = Errno.ETIMEDOUT.negated();

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertThat(script.calls()).containsExactly("SET STOP", "GET", "RESET", "GET");
        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
        assertThat(e.stateAfter()).isEqualTo(ERROR);
        assertThat(e.getSuppressed())
                .singleElement()
                .satisfies(s -> assertThat(s).hasMessageContaining("resetting it failed: ETIMEDOUT"));
    }

    @Test
    void shouldNotSetTheRecoverStateWhenTheDeviceIsThereAlready() {
        script.failSet("STOP", Errno.EBUSY, "RUNNING");

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertThat(script.calls()).containsExactly("SET STOP", "GET");
        assertOriginal(e, "dev: setting state STOP failed: EBUSY (16)", Errno.EBUSY);
        assertThat(e.stateAfter()).isEqualTo(RUNNING);
    }

    @Test
    void shouldResetWhenTheRealStateCannotBeRead() {
        script.failSet("STOP", Errno.EIO, "STOP").failGet(Errno.ENXIO);

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertThat(script.calls()).containsExactly("SET STOP", "GET", "RESET", "GET");
        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
        assertThat(e.deviceWasReset()).isTrue();
        assertThat(e.getSuppressed()).hasSize(1);
    }

    @Test
    void shouldNotKnowTheStateWhenNothingWorksAnyMore() {
        script.failSet("STOP", Errno.EIO, "STOP").failGet(Errno.ENXIO, Errno.ENXIO);
        script.resetResult = Errno.EIO.negated();

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
        assertThat(e.stateAfter()).isNull();
        assertThat(e.getSuppressed()).hasSize(3);
    }

    @Test
    void shouldResetAtOnceWhenThereIsNoRecoverState() {
        script.failSet("STOP", Errno.EINVAL, "RESUMING").in("RESUMING");

        VfioException e = failing(() -> device.setState(STOP));

        assertThat(script.calls()).containsExactly("SET STOP", "RESET", "GET");
        assertThat(e.deviceWasReset()).isTrue();
    }

    @Test
    void shouldKeepTheOriginalErrorWhenTheKernelKnowsAnUnknownState() {
        ScriptedLibC.Ioctls known = script;
        script.failSet("STOP", Errno.EIO, "STOP");
        libc.script(script.fd(), (request, argument) -> {
            int result = known.answer(request, argument);
            if (request == Vfio.VFIO_DEVICE_FEATURE && result == 0) {
                io.vfio4j.ffm.vfio.VfioDeviceFeatureMigState.DEVICE_STATE.set(
                        io.vfio4j.ffm.vfio.VfioDeviceFeature.DATA.of(argument), 99);
            }
            return result;
        });

        VfioException e = failing(() -> device.setState(STOP, RUNNING));

        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
        assertThat(e.getSuppressed()[0]).hasMessageContaining("unknown migration state 99");
    }

    @ParameterizedTest
    @EnumSource(names = {"PRE_COPY", "PRE_COPY_P2P"})
    void shouldRefuseTheArcsThatLockUpKernels(MigrationState target) {
        script.in("STOP_COPY");

        VfioException set = failing(() -> device.setState(target, STOP));
        VfioException save = failing(() -> device.startSaving(target, STOP));

        assertThat(script.calls()).containsExactly("GET", "GET");
        assertThat(script.state()).isEqualTo("STOP_COPY");
        for (VfioException e : List.of(set, save)) {
            assertThat(e.problem()).isEqualTo(Problem.ARC_REFUSED);
            assertThat(e).hasMessageContaining("can lock up the kernel");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PRE_COPY", "PRE_COPY_P2P"})
    void shouldNeverRecoverOverABlockedArc(MigrationState recover) {
        script.failSet("STOP", Errno.EIO, "STOP_COPY");

        VfioException e = failing(() -> device.setState(STOP, recover));

        assertThat(script.calls()).containsExactly("SET STOP", "GET", "RESET", "GET");
        assertOriginal(e, "dev: setting state STOP failed: EIO (5)", Errno.EIO);
    }

    @ParameterizedTest
    @EnumSource(names = {"STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P", "ERROR"})
    void shouldRefuseStatesThatTheDeviceLacks(MigrationState target) throws VfioException {
        script.features = 0;
        VfioDevice bare = VfioDevice.adopt(libc, script.fd(), "bare", DeviceIdentity.UNKNOWN);

        VfioException e = failing(() -> bare.setState(target, STOP));

        assertThat(e.problem()).isEqualTo(Problem.ARC_REFUSED);
        assertThat(e).hasMessage("bare: it has no state " + target + " (migration features: none)");
        assertThat(script.calls()).isEmpty();
    }

    @Test
    void shouldRefusePreCopyWithP2pWhenOnlyOneOfBothIsThere() throws VfioException {
        for (int features : new int[] {Vfio.VFIO_MIGRATION_P2P, Vfio.VFIO_MIGRATION_PRE_COPY}) {
            script.features = Vfio.VFIO_MIGRATION_STOP_COPY | features;
            VfioDevice half = VfioDevice.adopt(libc, script.fd(), "half", DeviceIdentity.UNKNOWN);
            assertThat(failing(() -> half.startSaving(PRE_COPY_P2P, RUNNING)).problem())
                    .isEqualTo(Problem.ARC_REFUSED);
        }
        assertThat(script.calls()).isEmpty();
    }

    @Test
    void shouldCloseTheSessionThatTheRecoverArcOpened() {
        script.failSet("RUNNING", Errno.EIO, "STOP").in("STOP");

        VfioException e = failing(() -> device.setState(RUNNING, RESUMING));

        assertThat(script.calls()).containsExactly("SET RUNNING", "GET", "SET RESUMING");
        assertThat(e.stateAfter()).isEqualTo(RESUMING);
        assertThat(libc.closed()).hasSize(1);
    }

    @Test
    void shouldCloseASessionThatNobodyAskedFor() {
        script.opensSessions = true;

        VfioException e = failing(() -> device.setState(RUNNING_P2P, RUNNING));

        assertThat(e.problem()).isEqualTo(Problem.ARC_REFUSED);
        assertThat(e).hasMessageContaining("opened a data transfer session that nobody asked for");
        assertThat(libc.closed()).hasSize(1);
    }

    @Test
    void shouldSayWhoseSessionItIsWhenTheArcOpensNone() {
        script.opensNoSession = true;

        VfioException e = failing(() -> device.startSaving(STOP_COPY, RUNNING));

        assertThat(e).hasMessageContaining("in a session that somebody else owns");
    }

    @Test
    void shouldRefuseToSaveInAStateThatSavesNothing() {
        assertThatThrownBy(() -> device.startSaving(RUNNING, RUNNING)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> device.startSaving(RESUMING, RUNNING)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldNotStopWhenQuiescingADeviceWithoutP2p() throws VfioException {
        script.features = Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_PRE_COPY;
        VfioDevice plain = VfioDevice.adopt(libc, script.fd(), "plain", DeviceIdentity.UNKNOWN);

        try (SavingSession session = plain.startSaving(PRE_COPY, RUNNING)) {
            session.quiesce(RUNNING);
            assertThat(session.phase()).isEqualTo(PRE_COPY);
            session.stop(STOP);
            assertThat(session.phase()).isEqualTo(STOP_COPY);
        }

        assertThat(script.calls()).containsExactly("GET", "SET PRE_COPY", "SET STOP_COPY");
    }

    @Test
    void shouldSayWhereItIsWhenItDoesNotRunAfterAReset() {
        script.in("STOP");
        ScriptedLibC.Ioctls known = script;
        libc.script(
                script.fd(),
                (request, argument) -> request == Vfio.VFIO_DEVICE_RESET ? 0 : known.answer(request, argument));

        assertThat(failing(device::reset)).hasMessage("dev: it is in STOP after a reset, not in RUNNING");
    }

    @Test
    void shouldAssumeMuchWhenTheDriverCannotTellItsLength() {
        script.stopCopyLength = Errno.ENOTTY.negated();
        assertThat(device.stopCopyLength()).isEqualTo(100L << 30);

        script.stopCopyLength = 4711;
        assertThat(device.stopCopyLength()).isEqualTo(4711);
    }

    @Test
    void shouldTellEachArcWithWhereItLedTo() throws VfioException {
        List<DeviceStateChange> heard = hear();

        device.startSaving(PRE_COPY, RUNNING).close();
        device.setState(STOP, RUNNING);
        device.reset();

        assertThat(heard)
                .extracting(
                        DeviceStateChange::device,
                        DeviceStateChange::from,
                        DeviceStateChange::target,
                        DeviceStateChange::to,
                        DeviceStateChange::reset,
                        DeviceStateChange::failure)
                .containsExactly(
                        tuple("dev", RUNNING, PRE_COPY, PRE_COPY, false, null),
                        tuple("dev", PRE_COPY, STOP, STOP, false, null),
                        tuple("dev", STOP, RUNNING, RUNNING, true, null));
        assertThat(heard.get(1).nanos()).isEqualTo(device.lastArcNanos());
        assertThat(heard).allMatch(change -> change.nanos() > 0);
    }

    @Test
    void shouldNotKnowWhereADeviceWasThatNobodyHasAskedAbout() throws VfioException {
        List<DeviceStateChange> heard = hear();

        device.setState(STOP, RUNNING);

        assertThat(heard)
                .singleElement()
                .satisfies(change -> assertThat(change.from()).isNull());
        assertThat(script.calls()).containsExactly("SET STOP");
    }

    @Test
    void shouldTellAnArcThatFailsOnceAfterItsRecovery() throws VfioException {
        List<DeviceStateChange> heard = hear();
        device.setState(RUNNING);
        script.failSet("STOP", Errno.EIO, "RUNNING_P2P").failSet("RUNNING_P2P", Errno.EIO, "ERROR");

        VfioException recovered = failing(() -> device.setState(STOP, RUNNING));
        VfioException reset = failing(() -> device.setState(RUNNING_P2P, STOP));

        assertThat(heard)
                .extracting(
                        DeviceStateChange::from,
                        DeviceStateChange::target,
                        DeviceStateChange::to,
                        DeviceStateChange::reset,
                        DeviceStateChange::failure)
                .containsExactly(
                        tuple(null, RUNNING, RUNNING, false, null),
                        tuple(RUNNING, STOP, RUNNING, false, recovered),
                        tuple(RUNNING, RUNNING_P2P, RUNNING, true, reset));
    }

    @Test
    void shouldTellAResetThatFailsWithWhereTheDeviceIs() throws VfioException {
        List<DeviceStateChange> heard = hear();
        device.setState(STOP);
        script.resetResult = Errno.EIO.negated();

        VfioException e = failing(device::reset);

        assertThat(heard).last().satisfies(change -> {
            assertThat(change.from()).isEqualTo(STOP);
            assertThat(change.to()).isEqualTo(STOP);
            assertThat(change.failure()).isSameAs(e);
        });
    }

    @Test
    void shouldTellNothingOfAnArcThatItDoesNotAskFor() {
        List<DeviceStateChange> heard = hear();
        script.in("STOP_COPY");

        failing(() -> device.setState(ERROR));
        failing(() -> device.setState(PRE_COPY));

        assertThat(heard).isEmpty();
    }

    @Test
    void shouldMoveOnWhenItsListenerThrows() throws VfioException {
        device.listener(change -> {
            throw new IllegalStateException("a listener that throws");
        });
        device.setState(STOP);
        device.listener(change -> {
            throw new StackOverflowError("a listener that throws");
        });
        script.failSet("RUNNING", Errno.EIO, "STOP");

        assertOriginal(
                failing(() -> device.setState(RUNNING, STOP)), "dev: setting state RUNNING failed: EIO (5)", Errno.EIO);
        device.listener(DeviceStateListener.NONE);
        device.setState(RUNNING);
        assertThat(script.state()).isEqualTo("RUNNING");
    }

    private List<DeviceStateChange> hear() {
        List<DeviceStateChange> heard = new ArrayList<>();
        device.listener(heard::add);
        return heard;
    }

    private static void assertOriginal(VfioException e, String message, Errno errno) {
        assertThat(e).hasMessage(message);
        assertThat(e.errno()).isEqualTo(errno.number());
        assertThat(e.problem()).isEqualTo(Problem.FAILED);
    }

    private static VfioException failing(ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e).isNotNull();
        return e;
    }
}
