// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import static io.vfio4j.device.MigrationState.PRE_COPY;
import static io.vfio4j.device.MigrationState.PRE_COPY_P2P;
import static io.vfio4j.device.MigrationState.RUNNING;
import static io.vfio4j.device.MigrationState.STOP;
import static io.vfio4j.device.MigrationState.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
class SessionTest {
    private static final byte[] STATE = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final ScriptedLibC libc = new ScriptedLibC();
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment memory = arena.allocate(64);
    private ScriptedDevice script;
    private VfioDevice device;

    @BeforeEach
    void adopt() throws VfioException {
        script = new ScriptedDevice(libc);
        device = VfioDevice.adopt(libc, script.fd(), "dev", DeviceIdentity.UNKNOWN);
    }

    @AfterEach
    void close() {
        script.close();
        arena.close();
    }

    @ParameterizedTest
    @EnumSource(names = {"PRE_COPY", "PRE_COPY_P2P"})
    void shouldBeDrainedOnEnomsgAndOnZeroWhenInPreCopy(MigrationState state) throws VfioException {
        try (SavingSession session = device.startSaving(state, RUNNING)) {
            libc.reads(Errno.ENOMSG.negated(), 0);

            assertThat(read(session)).isEqualTo(SavingSession.DRAINED);
            assertThat(read(session)).isEqualTo(SavingSession.DRAINED);
        }
    }

    @Test
    void shouldEndOnZeroWhenInStopCopy() throws VfioException {
        script.stopCopyState = STATE;
        try (SavingSession session = device.startSaving(STOP_COPY, RUNNING)) {
            assertThat(read(session)).isEqualTo(STATE.length);
            assertThat(read(session)).isEqualTo(SavingSession.END_OF_STATE);
        }
    }

    @Test
    void shouldFailOnEnomsgWhenInStopCopy() throws VfioException {
        try (SavingSession session = device.startSaving(STOP_COPY, RUNNING)) {
            libc.reads(Errno.ENOMSG.negated());

            VfioException e = failing(() -> read(session));

            assertThat(e.problem()).isEqualTo(Problem.FAILED);
            assertThat(e).hasMessage("dev: reading its state in STOP_COPY failed: ENOMSG (42)");
        }
    }

    @Test
    void shouldReadOnFromPreCopyIntoStopCopy() throws VfioException {
        script.preCopyState = "pre".getBytes(StandardCharsets.US_ASCII);
        script.stopCopyState = "stop".getBytes(StandardCharsets.US_ASCII);
        try (SavingSession session = device.startSaving(PRE_COPY, RUNNING)) {
            assertThat(read(session)).isEqualTo(3);
            assertThat(read(session)).isEqualTo(SavingSession.DRAINED);
            session.quiesce(RUNNING);
            assertThat(session.phase()).isEqualTo(PRE_COPY_P2P);
            assertThat(read(session)).isEqualTo(SavingSession.DRAINED);
            session.stop(STOP);
            assertThat(session.phase()).isEqualTo(STOP_COPY);
            assertThat(read(session)).isEqualTo(4);
            assertThat(text(4)).isEqualTo("stop");
            assertThat(read(session)).isEqualTo(SavingSession.END_OF_STATE);
        }
    }

    @Test
    void shouldRetryWhenASignalInterruptsTheRead() throws VfioException {
        script.stopCopyState = STATE;
        try (SavingSession session = device.startSaving(STOP_COPY, RUNNING)) {
            libc.reads(Errno.EINTR.negated(), Errno.EINTR.negated());

            assertThat(read(session)).isEqualTo(STATE.length);
        }
    }

    @Test
    void shouldHandOnShortReads() throws VfioException {
        script.stopCopyState = STATE;
        try (SavingSession session = device.startSaving(STOP_COPY, RUNNING)) {
            libc.reads(7, 1);
            List<Long> counts = new ArrayList<>();
            StringBuilder text = new StringBuilder();
            long count = read(session);
            while (count > 0) {
                counts.add(count);
                text.append(text((int) count));
                count = read(session);
            }

            assertThat(counts).containsExactly(7L, 1L, 8L);
            assertThat(text).hasToString("0123456789abcdef");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PRE_COPY", "STOP_COPY"})
    void shouldSaySessionEndedWhenTheDeviceWasReset(MigrationState state) throws VfioException {
        try (SavingSession session = device.startSaving(state, RUNNING)) {
            libc.reads(Errno.ENODEV.negated());

            VfioException e = failing(() -> read(session));

            assertThat(e.problem()).isEqualTo(Problem.SESSION_ENDED);
            assertThat(e.errno()).isEqualTo(Errno.ENODEV.number());
        }
    }

    @Test
    void shouldZeroTheFlagsBeforeItAsksForPrecopyInfo() throws VfioException {
        List<Integer> seen = new ArrayList<>();
        script.precopyInfo = (request, info) -> {
            seen.add(VfioPrecopyInfo.FLAGS.get(info));
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 100);
            VfioPrecopyInfo.DIRTY_BYTES.set(info, 20);
            // As a driver without the opt-in does: whatever was there comes back.
            VfioPrecopyInfo.FLAGS.set(info, 0xeeeeeeee | Vfio.VFIO_PRECOPY_INFO_REINIT);
            return 0;
        };
        try (SavingSession session = device.startSaving(PRE_COPY, RUNNING)) {
            assertThat(session.precopyInfo()).isEqualTo(new PrecopyInfo(100, 20, false));
            assertThat(session.precopyInfo()).isEqualTo(new PrecopyInfo(100, 20, false));
        }
        assertThat(seen).containsExactly(0, 0);
    }

    @Test
    void shouldReportReinitWhenTheOptInSucceeded() throws VfioException {
        script.precopyInfoV2 = 0;
        VfioDevice second = VfioDevice.adopt(libc, script.fd(), "second", DeviceIdentity.UNKNOWN);
        script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.FLAGS.set(info, Vfio.VFIO_PRECOPY_INFO_REINIT);
            return 0;
        };
        try (SavingSession session = second.startSaving(PRE_COPY, RUNNING)) {
            assertThat(session.precopyInfo().reinit()).isTrue();
        }
    }

    @Test
    void shouldTakeAFailingPrecopyInfoForEmpty() throws VfioException {
        script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.DIRTY_BYTES.set(info, 20);
            return Errno.EIO.negated();
        };
        try (SavingSession session = device.startSaving(PRE_COPY, RUNNING)) {
            assertThat(session.precopyInfo()).isEqualTo(PrecopyInfo.EMPTY);
            session.stop(STOP);
            assertThat(session.precopyInfo()).isEqualTo(PrecopyInfo.EMPTY);
        }
    }

    @Test
    void shouldSaturateEstimatesThatNoLongCanHold() throws VfioException {
        script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, -1);
            VfioPrecopyInfo.DIRTY_BYTES.set(info, 5);
            return 0;
        };
        try (SavingSession session = device.startSaving(PRE_COPY, RUNNING)) {
            assertThat(session.precopyInfo().initialBytes()).isEqualTo(Long.MAX_VALUE);
            assertThat(session.precopyInfo().dirtyBytes()).isEqualTo(5);
        }
    }

    @Test
    void shouldWriteAllWhenTheDriverTakesLittleAndSignalsInterrupt() throws VfioException {
        MemorySegment.copy(STATE, 0, memory, ValueLayout.JAVA_BYTE, 0, STATE.length);
        try (ResumingSession session = device.startResuming(RUNNING)) {
            libc.writes(3, Errno.EINTR.negated(), 1, 5);
            session.write(memory, 0, 10);
            session.write(memory, 10, 6);
            session.finish();
        }
        assertThat(script.loaded).isEqualTo(STATE);
        assertThat(script.state()).isEqualTo("STOP");
    }

    @Test
    void shouldSaySessionEndedWhenTheDeviceWasResetWhileLoading() throws VfioException {
        try (ResumingSession session = device.startResuming(RUNNING)) {
            libc.writes(Errno.ENODEV.negated());
            assertThat(failing(() -> session.write(memory, 0, 8)).problem()).isEqualTo(Problem.SESSION_ENDED);
        }
    }

    @Test
    void shouldFailWhenTheDriverTakesNothing() throws VfioException {
        try (ResumingSession session = device.startResuming(RUNNING)) {
            libc.writes(2, 0);
            assertThat(failing(() -> session.write(memory, 0, 8)))
                    .hasMessage("dev: its driver takes no more of its state");
        }
    }

    @Test
    void shouldNotFinishWhenAWriteHadFailed() throws VfioException {
        try (ResumingSession session = device.startResuming(RUNNING)) {
            libc.writes(Errno.EFAULT.negated());
            assertThat(failing(() -> session.write(memory, 0, 8))).hasMessageContaining("refused the state");
            session.write(memory, 0, 8);
            script.calls();

            assertThat(failing(session::finish)).hasMessageContaining("was not written whole");
            assertThat(script.calls()).isEmpty();
        }
    }

    @Test
    void shouldNotFinishWhenTheDeviceWasResetAfterTheLastWrite() throws VfioException {
        try (ResumingSession session = device.startResuming(RUNNING)) {
            session.write(memory, 0, 8);
            device.reset();
            script.calls();

            VfioException e = failing(session::finish);

            assertThat(e.problem()).isEqualTo(Problem.SESSION_ENDED);
            assertThat(e).hasMessageContaining("dev: it is in RUNNING, not in RESUMING");
            assertThat(script.calls()).containsExactly("GET");
        }
    }

    @Test
    void shouldResetWhenTheDriverRefusesWhatWasLoaded() throws VfioException {
        script.failSet("STOP", Errno.EINVAL, "RESUMING");
        try (ResumingSession session = device.startResuming(RUNNING)) {
            session.write(memory, 0, 8);

            VfioException e = failing(session::finish);

            assertThat(e.errno()).isEqualTo(Errno.EINVAL.number());
            assertThat(e.deviceWasReset()).isTrue();
        }
        assertThat(script.state()).isEqualTo("RUNNING");
    }

    private long read(SavingSession session) throws VfioException {
        return session.read(memory, 0, memory.byteSize());
    }

    private String text(int length) {
        return new String(memory.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
    }

    private static VfioException failing(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e).isNotNull();
        return e;
    }
}
