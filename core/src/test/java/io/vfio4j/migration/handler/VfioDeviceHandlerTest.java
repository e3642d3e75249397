// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler.PeerToPeer;
import io.vfio4j.migration.StateHandler.Precision;
import io.vfio4j.migration.StateOutput;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the handler of a device asks of its driver, call by call, and what it says is left. */
@ExtendWith(LeakCheck.class)
class VfioDeviceHandlerTest {
    private static final int CHUNK = 4096;
    private static final long FAR = 0;
    private static final long NEAR = Long.MAX_VALUE;

    private final ScriptedLibC scripted = new ScriptedLibC();
    private final Asked libc = new Asked(scripted);
    private final ScriptedDevice script = new ScriptedDevice(scripted);
    private final Pending pending = new Pending();
    private Sent sent;

    /** Takes down what is asked for, beside what the scripted device does itself. */
    private static final class Asked extends ForwardingLibC {
        private final List<String> calls = new ArrayList<>();
        private long readAt;
        private long readLength;
        private long writtenFrom;
        private long writtenLength;

        Asked(LibC real) {
            super(real);
        }

        @Override
        public int ioctl(int fd, long request, MemorySegment argument) {
            if (request == Vfio.VFIO_MIG_GET_PRECOPY_INFO) {
                calls.add("PRECOPY_INFO");
            } else if (request == Vfio.VFIO_DEVICE_FEATURE) {
                int feature = VfioDeviceFeature.FLAGS.get(argument) & Vfio.VFIO_DEVICE_FEATURE_MASK;
                calls.add(feature == Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE ? "DATA_SIZE" : "feature " + feature);
            } else {
                calls.add("ioctl " + request);
            }
            return super.ioctl(fd, request, argument);
        }

        @Override
        public long read(int fd, MemorySegment buffer, long offset, long length) {
            calls.add("read");
            readAt = buffer.address() + offset;
            readLength = length;
            return super.read(fd, buffer, offset, length);
        }

        @Override
        public long write(int fd, MemorySegment buffer, long offset, long length) {
            writtenFrom = buffer.address() + offset;
            writtenLength = length;
            return super.write(fd, buffer, offset, length);
        }

        @Override
        public int close(int fd) {
            calls.add("close");
            return super.close(fd);
        }

        List<String> calls() {
            List<String> copy = List.copyOf(calls);
            calls.clear();
            return copy;
        }
    }

    /** A stream of state that goes nowhere. */
    private static final class Sent implements StateOutput, AutoCloseable {
        private final BufferPool pool = new BufferPool(LibC.system(), 1, CHUNK, false);
        private final List<Integer> lengths = new ArrayList<>();
        private long sentFrom;

        @Override
        public PooledBuffer acquire() {
            return Objects.requireNonNull(pool.tryAcquire(), "one buffer at a time");
        }

        @Override
        public void giveBack(PooledBuffer unused) {
            pool.release(unused);
        }

        @Override
        public void send(PooledBuffer chunk) {
            lengths.add(chunk.length());
            sentFrom = chunk.memory().address() + PooledBuffer.HEAD_ROOM;
            pool.release(chunk);
        }

        @Override
        public void sendExtra(ByteBuffer extra) {
            throw new IllegalStateException("there is nothing beside the state");
        }

        @Override
        public void sendPages(PooledBuffer table, List<MemorySegment> pages) {
            throw new IllegalStateException("a device has no pages");
        }

        @Override
        public void notice(String text) {
            throw new IllegalStateException("there is nothing to tell: " + text);
        }

        @Override
        public void close() {
            pool.close();
        }
    }

    @BeforeEach
    void makeOutput() {
        sent = new Sent();
        script.preCopyState = new byte[2 * CHUNK + 10];
        script.stopCopyState = new byte[20];
        script.stopCopyLength = 100_000;
        precopyInfo(1000, 8000);
    }

    @AfterEach
    void close() {
        script.close();
        sent.close();
    }

    private void precopyInfo(long initialBytes, long dirtyBytes) {
        script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, initialBytes);
            VfioPrecopyInfo.DIRTY_BYTES.set(info, dirtyBytes);
            return 0;
        };
    }

    private VfioDeviceHandler handler() throws VfioException {
        return new VfioDeviceHandler(
                "device0",
                VfioDevice.adopt(libc, script.fd(), "script", new DeviceIdentity("mdev:script", "scripted")));
    }

    private VfioDeviceHandler saving() throws IOException {
        VfioDeviceHandler handler = handler();
        handler.prepare();
        handler.saveSetup();
        script.calls();
        libc.calls();
        return handler;
    }

    private void look(VfioDeviceHandler handler, long threshold, Precision precision) {
        handler.pending(threshold, precision, pending);
    }

    @ParameterizedTest
    @CsvSource({"true, SET PRE_COPY", "false, "})
    void shouldPreCopyOnlyWhenTheDeviceReportsIt(boolean preCopy, String arc) throws Exception {
        script.features = Vfio.VFIO_MIGRATION_STOP_COPY | (preCopy ? Vfio.VFIO_MIGRATION_PRE_COPY : 0);
        VfioDeviceHandler handler = handler();
        handler.prepare();
        script.calls();

        handler.saveSetup();

        assertThat(script.calls())
                .filteredOn(call -> call.startsWith("SET"))
                .isEqualTo(arc == null ? List.of() : List.of(arc));
        assertThat(handler.iterates()).isEqualTo(preCopy);
        handler.cleanup();
    }

    @Test
    void shouldGoBackToRunningWhenPreCopyCannotBegin() throws Exception {
        script.failSet("PRE_COPY", Errno.EIO, "RUNNING_P2P");
        VfioDeviceHandler handler = handler();
        handler.prepare();
        script.calls();

        assertThatThrownBy(handler::saveSetup).hasMessageContaining("setting state PRE_COPY failed: EIO");

        assertThat(script.calls()).containsExactly("GET", "SET PRE_COPY", "GET", "SET RUNNING");
        assertThat(script.state()).isEqualTo("RUNNING");
    }

    @Test
    void shouldAskHowMuchThereIsOnceTheDeviceIsInPreCopy() throws Exception {
        VfioDeviceHandler handler = handler();
        handler.prepare();
        libc.calls();

        handler.saveSetup();

        assertThat(libc.calls()).startsWith("DATA_SIZE").endsWith("PRECOPY_INFO");
        look(handler, FAR, Precision.ESTIMATE);
        assertThat(pending.requiredBytes()).isEqualTo(1000);
        assertThat(pending.preCopyBytes()).isEqualTo(8000);
        handler.cleanup();
    }

    @Test
    void shouldLeaveAStoppedDeviceInStopUntilItsStateIsRead() throws Exception {
        script.in("STOP");
        VfioDeviceHandler handler = saving();

        assertThat(handler.iterates()).isFalse();
        handler.quiesce();
        assertThat(script.calls()).isEmpty();
        assertThat(script.state()).isEqualTo("STOP");

        handler.stop();
        handler.complete(sent);

        assertThat(script.calls()).containsExactly("SET STOP_COPY");
        assertThat(sent.lengths).containsExactly(20);
        handler.cleanup();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ERROR", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"})
    void shouldRefuseToBeginInAnyOtherState(String state) throws Exception {
        VfioDeviceHandler handler = handler();
        script.in(state);
        script.calls();

        assertThatThrownBy(handler::prepare)
                .isInstanceOf(IOException.class)
                .hasMessage("a migration begins in RUNNING or STOP, and it is in " + state);
        assertThat(script.calls()).containsExactly("GET");
    }

    @Test
    void shouldKnowOfNothingInPreCopyWhenTheDriverCannotTell() throws Exception {
        VfioDeviceHandler handler = saving();
        script.precopyInfo = (request, info) -> Errno.EIO.negated();

        look(handler, NEAR, Precision.EXACT);

        assertThat(pending.requiredBytes()).isZero();
        assertThat(pending.preCopyBytes()).isZero();
        assertThat(pending.stoppedBytes()).isEqualTo(100_000);
        handler.cleanup();
    }

    @Test
    void shouldAssumeMuchForTheDowntimeWhenTheDriverCannotTell() throws Exception {
        script.stopCopyLength = Errno.ENOTTY.negated();
        VfioDeviceHandler handler = saving();

        look(handler, NEAR, Precision.EXACT);

        assertThat(pending.downtimeBytes()).isEqualTo(100L << 30);
        assertThat(pending.stoppedBytes()).isEqualTo((100L << 30) - 9000);
        handler.cleanup();
    }

    @ParameterizedTest
    @CsvSource({"10000, 10000", "9000, 9000", "100, 9000"})
    void shouldCountOnceWhatBothPreCopyAndStopCopyWouldSend(long stopCopyLength, long downtimeBytes) throws Exception {
        VfioDeviceHandler handler = saving();
        script.stopCopyLength = stopCopyLength;

        look(handler, NEAR, Precision.EXACT);

        assertThat(pending.iterableBytes()).isEqualTo(9000);
        assertThat(pending.downtimeBytes()).isEqualTo(downtimeBytes);
        handler.cleanup();
    }

    @Test
    void shouldEstimateWithoutASystemCall() throws Exception {
        VfioDeviceHandler handler = saving();
        handler.iterate(sent);
        libc.calls();

        look(handler, NEAR, Precision.ESTIMATE);

        assertThat(libc.calls()).isEmpty();
        assertThat(pending.requiredBytes()).isZero();
        assertThat(pending.preCopyBytes()).isEqualTo(9000 - CHUNK);
        assertThat(pending.downtimeBytes()).isEqualTo(100_000 - CHUNK);
        handler.cleanup();
    }

    @Test
    void shouldTakeWhatWasReadFromTheInitialBytesFirst() throws Exception {
        VfioDeviceHandler handler = saving();
        scripted.reads(400, 700, 3000);

        handler.iterate(sent);
        look(handler, FAR, Precision.ESTIMATE);
        assertThat(List.of(pending.requiredBytes(), pending.preCopyBytes())).containsExactly(600L, 8000L);
        handler.iterate(sent);
        look(handler, FAR, Precision.ESTIMATE);
        assertThat(List.of(pending.requiredBytes(), pending.preCopyBytes())).containsExactly(0L, 7900L);
        handler.iterate(sent);
        look(handler, FAR, Precision.ESTIMATE);
        assertThat(List.of(pending.requiredBytes(), pending.preCopyBytes())).containsExactly(0L, 4900L);
        assertThat(sent.lengths).containsExactly(400, 700, 3000);
        handler.cleanup();
    }

    @Test
    void shouldKnowOfNothingWhenTheDriverHadMoreThanItSaid() throws Exception {
        precopyInfo(1000, 500);
        VfioDeviceHandler handler = saving();
        scripted.reads(3000);

        handler.iterate(sent);

        look(handler, FAR, Precision.ESTIMATE);
        assertThat(List.of(pending.requiredBytes(), pending.preCopyBytes())).containsExactly(0L, 0L);
        handler.cleanup();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -42})
    void shouldKnowOfNothingWhenTheDriverHasRunDry(long result) throws Exception {
        VfioDeviceHandler handler = saving();
        scripted.reads(400, result);
        handler.iterate(sent);

        assertThat(handler.iterate(sent)).isFalse();

        look(handler, FAR, Precision.ESTIMATE);
        assertThat(pending.iterableBytes()).isZero();
        assertThat(sent.lengths).containsExactly(400);
        assertThat(sent.pool.freeCount()).isEqualTo(1);
        handler.cleanup();
    }

    @Test
    void shouldAskTheDriverAnewBeforeItReadsOnOnceItHasRunDry() throws Exception {
        VfioDeviceHandler handler = saving();
        scripted.reads(0);
        assertThat(handler.iterate(sent)).isFalse();
        libc.calls();

        assertThat(handler.iterate(sent)).isTrue();
        assertThat(libc.calls()).containsExactly("PRECOPY_INFO", "read");
        assertThat(handler.iterate(sent)).isTrue();
        assertThat(libc.calls()).containsExactly("read");
        handler.cleanup();
    }

    @Test
    void shouldAskForTheStopCopyLengthOnlyNearTheThreshold() throws Exception {
        VfioDeviceHandler handler = saving();

        look(handler, 8999, Precision.EXACT);
        assertThat(libc.calls()).containsExactly("PRECOPY_INFO");
        look(handler, 9000, Precision.EXACT);
        assertThat(libc.calls()).containsExactly("PRECOPY_INFO", "DATA_SIZE");
        handler.cleanup();
    }

    @Test
    void shouldAskForNothingSlowInTheDowntime() throws Exception {
        VfioDeviceHandler handler = saving();
        handler.quiesce();
        libc.calls();
        precopyInfo(5, 7);

        look(handler, NEAR, Precision.FINAL);

        assertThat(libc.calls()).containsExactly("PRECOPY_INFO");
        assertThat(List.of(pending.requiredBytes(), pending.preCopyBytes())).containsExactly(5L, 7L);
        handler.cleanup();
    }

    @Test
    void shouldIterateInThePreCopyStatesOnly() throws Exception {
        VfioDeviceHandler handler = handler();
        handler.prepare();
        assertThat(handler.iterates()).isFalse();
        handler.saveSetup();
        assertThat(handler.iterates()).isTrue();
        handler.quiesce();
        assertThat(script.state()).isEqualTo("PRE_COPY_P2P");
        assertThat(handler.iterates()).isTrue();
        handler.stop();
        assertThat(handler.iterates()).isFalse();
        handler.cleanup();
        assertThat(handler.iterates()).isFalse();
    }

    @Test
    void shouldSendOnePieceAtATimeHoweverMuchIsLeft() throws Exception {
        VfioDeviceHandler handler = saving();
        precopyInfo(0, Long.MAX_VALUE);

        assertThat(handler.iterate(sent)).isTrue();
        assertThat(sent.lengths).containsExactly(CHUNK);
        assertThat(handler.iterate(sent)).isTrue();
        assertThat(handler.iterate(sent)).isTrue();
        assertThat(sent.lengths).containsExactly(CHUNK, CHUNK, 10);
        assertThat(handler.iterate(sent)).isFalse();
        handler.cleanup();
    }

    @Test
    void shouldReadIntoTheVeryBufferThatIsSent() throws Exception {
        VfioDeviceHandler handler = saving();

        handler.iterate(sent);

        assertThat(libc.readAt).isEqualTo(sent.sentFrom);
        assertThat(libc.readLength).isEqualTo(CHUNK);
        assertThat(libc.readAt % CHUNK).isZero();
        handler.cleanup();
    }

    @Test
    void shouldWriteFromTheVeryBufferThatWasReceived() throws Exception {
        VfioDeviceHandler handler = handler();
        handler.prepare();
        handler.loadSetup();
        PooledBuffer chunk = sent.acquire();
        chunk.length(CHUNK);

        handler.load(chunk);

        assertThat(libc.writtenFrom).isEqualTo(chunk.memory().address() + PooledBuffer.HEAD_ROOM);
        assertThat(libc.writtenLength).isEqualTo(CHUNK);
        sent.giveBack(chunk);
        handler.cleanup();
    }

    @Test
    void shouldReadToTheEndInStopCopyAndBeInStopThereafter() throws Exception {
        VfioDeviceHandler handler = saving();
        handler.quiesce();
        handler.stop();
        scripted.reads(1, Errno.EINTR.negated(), CHUNK);

        handler.complete(sent);
        handler.release();

        assertThat(script.calls()).containsExactly("GET", "SET PRE_COPY_P2P", "SET STOP_COPY", "SET STOP");
        assertThat(sent.lengths).containsExactly(1, CHUNK, CHUNK, 29);
        assertThat(script.state()).isEqualTo("STOP");
        handler.cleanup();
    }

    @Test
    void shouldGoToStopWhenItsStateCannotBeRead() throws Exception {
        VfioDeviceHandler handler = saving();
        handler.quiesce();
        script.failSet("STOP_COPY", Errno.EIO, "PRE_COPY_P2P");
        script.calls();

        assertThatThrownBy(handler::stop).hasMessageContaining("setting state STOP_COPY failed: EIO");

        assertThat(script.calls()).containsExactly("SET STOP_COPY", "GET", "SET STOP");
        handler.cleanup();
    }

    @Test
    void shouldWantAnotherAcknowledgementEachTimeTheDriverStartsOver() throws Exception {
        boolean[] reinit = new boolean[1];
        script.precopyInfoV2 = 0;
        script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.FLAGS.set(info, reinit[0] ? Vfio.VFIO_PRECOPY_INFO_REINIT : 0);
            return 0;
        };
        VfioDeviceHandler handler = saving();
        List<Integer> wanted = new ArrayList<>();
        for (boolean startsOver : new boolean[] {false, true, true, false, true}) {
            reinit[0] = startsOver;
            look(handler, FAR, Precision.EXACT);
            wanted.add(pending.acksWanted());
        }

        assertThat(wanted).containsExactly(1, 2, 2, 2, 3);
        handler.cleanup();
    }

    @Test
    void shouldWantNoAcknowledgementOfADeviceWithoutPreCopy() throws Exception {
        script.features = Vfio.VFIO_MIGRATION_STOP_COPY;
        VfioDeviceHandler handler = saving();

        look(handler, NEAR, Precision.EXACT);

        assertThat(pending.acksWanted()).isZero();
        assertThat(pending.iterableBytes()).isZero();
        assertThat(pending.stoppedBytes()).isEqualTo(100_000);
        handler.cleanup();
    }

    @ParameterizedTest
    @CsvSource({"STOP_COPY, CANNOT_QUIESCE", "P2P, QUIESCES"})
    void shouldSayWhetherItCanBeKeptFromPeerToPeer(String features, PeerToPeer expected) throws Exception {
        script.features = Vfio.VFIO_MIGRATION_STOP_COPY | (features.equals("P2P") ? Vfio.VFIO_MIGRATION_P2P : 0);
        assertThat(handler().peerToPeer()).isEqualTo(expected);
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void shouldCloseItsSessionAndForgetItsFiguresInTheEnd(Precision precision) throws Exception {
        VfioDeviceHandler handler = saving();
        look(handler, NEAR, Precision.EXACT);
        libc.calls();

        handler.cleanup();

        assertThat(libc.calls()).containsExactly("close");
        script.stopCopyLength = 0;
        look(handler, NEAR, precision);
        assertThat(pending.downtimeBytes()).isZero();
        assertThat(pending.acksWanted()).isZero();
        handler.cleanup();
        assertThat(libc.calls()).doesNotContain("close", "PRECOPY_INFO");
    }

    /** A monitor that tries again, or migrates back, need not make a new handler. */
    @ParameterizedTest
    @ValueSource(ints = {Vfio.VFIO_MIGRATION_STOP_COPY | Vfio.VFIO_MIGRATION_P2P, ScriptedDevice.ALL})
    void shouldServeAnotherMigrationAfterOneThatFailed(int features) throws Exception {
        script.features = features;
        VfioDeviceHandler handler = handler();
        for (int i = 0; i < 2; i++) {
            handler.prepare();
            handler.saveSetup();
            handler.quiesce();
            handler.stop();
            handler.resumeQuiesced();
            handler.resume();
            handler.cleanup();
            assertThat(script.state()).isEqualTo("RUNNING");
        }
        boolean preCopy = features == ScriptedDevice.ALL;
        assertThat(script.calls())
                .filteredOn(call -> call.startsWith("SET"))
                .hasSize(preCopy ? 10 : 8)
                .endsWith(
                        preCopy ? "SET PRE_COPY_P2P" : "SET RUNNING_P2P",
                        "SET STOP_COPY",
                        "SET RUNNING_P2P",
                        "SET RUNNING");
    }

    @Test
    void shouldLeaveAPausedDeviceAloneAlthoughItWasLoadedByTheSameHandler() throws Exception {
        script.in("STOP");
        VfioDeviceHandler handler = handler();
        handler.prepare();
        handler.loadSetup();
        handler.loadFinish();
        handler.cleanup();
        assertThat(script.state()).isEqualTo("STOP");

        handler.prepare();
        handler.saveSetup();
        handler.stop();
        handler.resumeQuiesced();
        handler.resume();
        handler.cleanup();

        assertThat(script.state()).isEqualTo("STOP");
        assertThat(script.calls()).doesNotContain("SET RUNNING");
    }
}
