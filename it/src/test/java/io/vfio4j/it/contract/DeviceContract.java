// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.PrecopyInfo;
import io.vfio4j.device.ResumingSession;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.testing.Listening;
import io.vfio4j.transport.TransportAddress;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every migratable device must do, seen through {@link VfioDevice}. */
public abstract class DeviceContract {
    private static final int MEBIBYTE = 1 << 20;
    private static final long WAIT_SECONDS = 60;

    /** The oracle: SET from each state to each other one, as recorded on Linux. */
    private static final FsmOracle ORACLE = FsmOracle.load();

    private final List<DeviceUnderTest> created = new ArrayList<>();

    @TempDir
    private Path folder = Path.of("");

    /** Makes a device of the kind that this suite is for; each one has contents of its own. */
    protected abstract DeviceUnderTest create() throws Exception;

    private DeviceUnderTest make() throws Exception {
        DeviceUnderTest made = create();
        created.add(made);
        return made;
    }

    @AfterEach
    void takeAway() throws Exception {
        for (DeviceUnderTest device : created) {
            device.close();
        }
    }

    @Test
    void shouldBeRunningWithStopCopyWhenOpened() throws Exception {
        VfioDevice device = make().device();

        assertThat(device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(device.features().stopCopy()).isTrue();
        assertThat(device.stopCopyLength()).isPositive().isLessThan(VfioDevice.UNKNOWN_STOP_COPY_LENGTH);
    }

    @Test
    void shouldFollowTheRecordedStateMachine() throws Exception {
        VfioDevice device = make().device();
        device.setState(MigrationState.STOP, MigrationState.RUNNING);
        byte[] state = saveStopped(device, MEBIBYTE);
        List<FsmOracle.Arc> arcs = ORACLE.arcs(device.features().flags());
        assertThat(arcs).isNotEmpty();

        for (FsmOracle.Arc arc : arcs) {
            device.reset();
            try (AutoCloseable begin =
                    arc.from() == MigrationState.RESUMING ? load(device, state, MEBIBYTE) : take(device, arc.from())) {
                assertThat(begin).isNotNull();
                if (arc.allowed()) {
                    take(device, arc.to()).close();
                } else {
                    assertArcRefused(() -> take(device, arc.to()));
                }
                assertThat(device.state()).as(arc.toString()).isEqualTo(arc.after());
            }
        }
    }

    private static void assertArcRefused(ThrowingCallable arc) {
        assertThatThrownBy(arc)
                .asInstanceOf(type(VfioException.class))
                .extracting(VfioException::problem)
                .isEqualTo(Problem.ARC_REFUSED);
    }

    /** Moves the device; the session that this may open is closed with the result. */
    private static AutoCloseable take(VfioDevice device, MigrationState target) throws VfioException {
        MigrationState now = device.state();
        boolean opensNoSession = now == target
                || (target == MigrationState.STOP_COPY && now.isPreCopy())
                || (target.isPreCopy() && now.isPreCopy());
        if (target == MigrationState.RESUMING && now != target) {
            return device.startResuming();
        }
        if ((target == MigrationState.STOP_COPY || target.isPreCopy()) && !opensNoSession) {
            return device.startSaving(target);
        }
        device.setState(target);
        return () -> {};
    }

    @Test
    void shouldSaveTheSameStateTwiceWhenStopped() throws Exception {
        VfioDevice device = make().device();
        device.setState(MigrationState.STOP, MigrationState.RUNNING);

        byte[] first = saveStopped(device, MEBIBYTE);
        byte[] second = saveStopped(device, MEBIBYTE);

        assertThat(first).isNotEmpty().isEqualTo(second);
    }

    @Test
    void shouldGoOnSayingEndWhenAllWasRead() throws Exception {
        VfioDevice device = make().device();

        try (Arena arena = Arena.ofConfined();
                SavingSession session = device.startSaving(MigrationState.STOP_COPY, MigrationState.RUNNING)) {
            MemorySegment buffer = arena.allocate(MEBIBYTE, 4096);
            readToEnd(session, buffer, MEBIBYTE, new ByteArrayOutputStream());

            assertThat(session.read(buffer, 0, MEBIBYTE)).isEqualTo(SavingSession.END_OF_STATE);
            assertThat(session.read(buffer, 0, MEBIBYTE)).isEqualTo(SavingSession.END_OF_STATE);
        }
    }

    @Test
    void shouldDrainInPreCopyAndEndInStopCopy() throws Exception {
        VfioDevice device = make().device();
        if (!device.features().preCopy()) {
            assertArcRefused(() -> device.startSaving(MigrationState.PRE_COPY, MigrationState.RUNNING));
            return;
        }

        try (Arena arena = Arena.ofConfined();
                SavingSession session = device.startSaving(MigrationState.PRE_COPY, MigrationState.RUNNING)) {
            MemorySegment buffer = arena.allocate(MEBIBYTE, 4096);
            PrecopyInfo atFirst = session.precopyInfo();
            assertThat(atFirst.initialBytes()).isPositive();

            while (session.read(buffer, 0, MEBIBYTE) != SavingSession.DRAINED) {
                assertThat(session.phase()).isEqualTo(MigrationState.PRE_COPY);
            }
            assertThat(session.precopyInfo().initialBytes()).isZero();
            assertThat(device.state()).isEqualTo(MigrationState.PRE_COPY);

            session.quiesce(MigrationState.RUNNING);
            assertThat(device.state())
                    .isEqualTo(device.features().p2p() ? MigrationState.PRE_COPY_P2P : MigrationState.PRE_COPY);
            session.stop(MigrationState.STOP);
            assertThat(device.state()).isEqualTo(MigrationState.STOP_COPY);
            readToEnd(session, buffer, MEBIBYTE, new ByteArrayOutputStream());
            assertThat(session.precopyInfo()).isEqualTo(PrecopyInfo.EMPTY);
        }
        device.setState(MigrationState.RUNNING);
        assertThat(device.state()).isEqualTo(MigrationState.RUNNING);
    }

    @ParameterizedTest
    @ValueSource(ints = {4093, 65_536, MEBIBYTE})
    void shouldHoldTheSameStateWhenLoadedInAnySegmentation(int piece) throws Exception {
        DeviceUnderTest source = make();
        DeviceUnderTest destination = make();
        source.device().setState(MigrationState.STOP, MigrationState.RUNNING);
        byte[] state = saveStopped(source.device(), piece);

        load(destination.device(), state, piece).finish();

        assertThat(destination.device().state()).isEqualTo(MigrationState.STOP);
        assertThat(destination.digest()).isEqualTo(source.digest());
    }

    @Test
    void shouldRefuseAStateThatIsCutShort() throws Exception {
        DeviceUnderTest source = make();
        VfioDevice destination = make().device();
        source.device().setState(MigrationState.STOP, MigrationState.RUNNING);
        byte[] state = saveStopped(source.device(), MEBIBYTE);
        byte[] cut = Arrays.copyOf(state, state.length - 1);

        try (ResumingSession session = load(destination, cut, MEBIBYTE)) {
            assertThatThrownBy(session::finish).isInstanceOf(VfioException.class);
        }

        assertThat(destination.state()).isEqualTo(MigrationState.RUNNING);
    }

    @Test
    void shouldRefuseAStateThatIsNotItsOwn() throws Exception {
        VfioDevice destination = make().device();
        byte[] foreign = new byte[4096];
        Arrays.fill(foreign, (byte) 0x5a);

        assertThatThrownBy(() -> {
                    try (ResumingSession session = load(destination, foreign, foreign.length)) {
                        session.finish();
                    }
                })
                .isInstanceOf(VfioException.class);

        destination.reset();
        assertThat(destination.state()).isEqualTo(MigrationState.RUNNING);
    }

    @Test
    void shouldEndTheSessionWhenTheDeviceIsReset() throws Exception {
        VfioDevice device = make().device();

        try (Arena arena = Arena.ofConfined();
                SavingSession session = device.startSaving(MigrationState.STOP_COPY, MigrationState.RUNNING)) {
            MemorySegment buffer = arena.allocate(MEBIBYTE, 4096);
            device.reset();

            assertThatThrownBy(() -> session.read(buffer, 0, MEBIBYTE))
                    .asInstanceOf(type(VfioException.class))
                    .extracting(VfioException::problem)
                    .isEqualTo(Problem.SESSION_ENDED);
        }
        assertThat(device.state()).isEqualTo(MigrationState.RUNNING);
    }

    @Test
    void shouldEndALoadingSessionWhenTheDeviceIsReset() throws Exception {
        VfioDevice device = make().device();

        try (Arena arena = Arena.ofConfined();
                ResumingSession session = device.startResuming(MigrationState.RUNNING)) {
            device.reset();

            assertThatThrownBy(() -> session.write(arena.allocate(1), 0, 1))
                    .asInstanceOf(type(VfioException.class))
                    .extracting(VfioException::problem)
                    .isEqualTo(Problem.SESSION_ENDED);
        }
    }

    @Test
    void shouldRefuseToGoBackFromStopCopyToPreCopyWithoutAskingTheKernel() throws Exception {
        VfioDevice device = make().device();

        try (SavingSession session = device.startSaving(MigrationState.STOP_COPY, MigrationState.RUNNING)) {
            assertArcRefused(() -> device.setState(MigrationState.PRE_COPY));
            assertArcRefused(() -> device.setState(MigrationState.PRE_COPY_P2P));
            assertThat(session.phase()).isEqualTo(MigrationState.STOP_COPY);
        }
        assertThat(device.state()).isEqualTo(MigrationState.STOP_COPY);
    }

    @ParameterizedTest
    @EnumSource(
            value = Overlap.class,
            names = {"ON", "OFF"})
    void shouldMigrateToADeviceOfItsKind(Overlap overlap) throws Exception {
        DeviceUnderTest source = make();
        DeviceUnderTest destination = make();
        MigrationParameters parameters =
                MigrationParameters.builder().chunks(4).overlap(overlap).build();
        TransportAddress socket = new TransportAddress.Unix(folder.resolve("migration.sock"));
        Listening listening = new Listening();
        IncomingMigration incoming = new IncomingMigration(
                destination.libc(),
                VfioDeviceHandler.inOrder(destination.device()),
                VirtualMachine.NONE,
                parameters,
                listening);
        OutgoingMigration outgoing = new OutgoingMigration(
                source.libc(),
                VfioDeviceHandler.inOrder(source.device()),
                VirtualMachine.NONE,
                parameters,
                SwitchoverPolicy.STANDARD,
                MigrationListener.NONE);

        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<LoadReport> loaded = executor.submit(() -> incoming.run(socket));
            listening.await(WAIT_SECONDS);
            MigrationReport report = outgoing.run(socket);

            assertThat(loaded.get(WAIT_SECONDS, TimeUnit.SECONDS).bytes()).isEqualTo(report.totalBytes());
            assertThat(report.preCopyBytes() > 0)
                    .isEqualTo(source.device().features().preCopy());
        }
        assertThat(source.device().state()).isEqualTo(MigrationState.STOP);
        assertThat(destination.device().state()).isEqualTo(MigrationState.RUNNING);
        assertThat(destination.digest()).isEqualTo(source.digest());
    }

    /** Reads the whole state of a device in STOP, and leaves it there. */
    public static byte[] stateOf(VfioDevice device) throws VfioException {
        return saveStopped(device, MEBIBYTE);
    }

    /** Loads a whole state into a device, and leaves it in STOP. */
    public static void load(VfioDevice device, byte[] state) throws VfioException {
        try (ResumingSession session = load(device, state, MEBIBYTE)) {
            session.finish();
        }
    }

    private static byte[] saveStopped(VfioDevice device, int piece) throws VfioException {
        ByteArrayOutputStream state = new ByteArrayOutputStream();
        try (Arena arena = Arena.ofConfined();
                SavingSession session = device.startSaving(MigrationState.STOP_COPY, MigrationState.STOP)) {
            readToEnd(session, arena.allocate(piece, 4096), piece, state);
        }
        device.setState(MigrationState.STOP, MigrationState.STOP);
        return state.toByteArray();
    }

    private static void readToEnd(SavingSession session, MemorySegment buffer, int piece, ByteArrayOutputStream to)
            throws VfioException {
        long read = session.read(buffer, 0, piece);
        while (read != SavingSession.END_OF_STATE) {
            to.writeBytes(buffer.asSlice(0, read).toArray(ValueLayout.JAVA_BYTE));
            read = session.read(buffer, 0, piece);
        }
    }

    private static ResumingSession load(VfioDevice device, byte[] state, int piece) throws VfioException {
        ResumingSession session = device.startResuming(MigrationState.RUNNING);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocateFrom(ValueLayout.JAVA_BYTE, state);
            for (int at = 0; at < state.length; at += piece) {
                session.write(buffer, at, Math.min(piece, state.length - at));
            }
        } catch (VfioException e) {
            session.close();
            throw e;
        }
        return session;
    }
}
