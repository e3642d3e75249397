// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING_P2P;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.emulator.OpenDevice.PrecopyReply;
import io.vfio4j.emulator.OpenDevice.Reply;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.IoVec;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.Vfio;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes through the data_fd, and what PRECOPY_INFO and MIG_DATA_SIZE say of it. */
class StateTransferTest {
    private static final long MIB = 1 << 20;
    private static final long BLOCK = 1 << 16;
    private static final long HEADER = 24;
    private static final long RECORD = 16;
    private static final long TRAILER = 16;
    private static final int EINVAL = Errno.EINVAL.negated();
    private static final int ENODEV = Errno.ENODEV.negated();
    private static final int ENOMSG = Errno.ENOMSG.negated();

    private final Bench bench = new Bench();

    @AfterEach
    void close() {
        bench.close();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void shouldArriveAsItLeftWhateverTheSegmentation(long seed) {
        Random random = new Random(seed);
        long size = 4096L * (1 + random.nextInt(100));
        OpenDevice source = bench.open("emulated:dirty=10MiB/s,size=" + size);
        OpenDevice destination = bench.open("emulated:size=" + size);
        assertThat(destination.device.digest()).isNotEqualTo(source.device.digest());

        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        for (int round = 0; round < 4; round++) {
            bench.drain(from, stream, () -> {
                bench.pass(random.nextInt(10_000));
                return 1L + random.nextInt(random.nextBoolean() ? 16 : 60_000);
            });
            bench.pass(random.nextLong(Bench.SECOND / 100));
        }
        source.move(VFIO_DEVICE_STATE_PRE_COPY_P2P);
        bench.pass(Bench.SECOND / 100);
        source.move(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.drain(from, stream, () -> 1L + random.nextInt(60_000))).isZero();
        source.move(VFIO_DEVICE_STATE_STOP);

        int to = destination.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.write(to, stream.toByteArray(), () -> 1L + random.nextInt(random.nextBoolean() ? 16 : 60_000)))
                .isZero();
        destination.move(VFIO_DEVICE_STATE_STOP);
        assertThat(destination.device.digest()).as("seed %d", seed).isEqualTo(source.device.digest());
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, 65_537 * 4096L, 200L << 20})
    void shouldMoveASparseStateToASparseAndToAFullDevice(long size) {
        OpenDevice source = bench.open("emulated:sparse=on,size=" + size);
        OpenDevice sparse = bench.open("emulated:sparse=on,size=" + size);
        OpenDevice back = bench.open("emulated:sparse=on,size=" + size);
        OpenDevice full = bench.open("emulated:size=" + size);
        assertThat(sparse.device.digest()).isNotEqualTo(source.device.digest());

        move(source, sparse);
        move(sparse, full);
        move(full, back);

        assertThat(sparse.device.digest()).isEqualTo(source.device.digest());
        assertThat(back.device.digest()).isEqualTo(source.device.digest());
    }

    private void move(OpenDevice source, OpenDevice destination) {
        int from = source.open(VFIO_DEVICE_STATE_STOP_COPY);
        int to = destination.open(VFIO_DEVICE_STATE_RESUMING);
        long got = bench.read(from, Bench.CHUNK);
        while (got > 0) {
            assertThat(bench.kernel.write(to, bench.buffer, 0, got)).isEqualTo(got);
            got = bench.read(from, Bench.CHUNK);
        }
        assertThat(got).isZero();
        source.move(VFIO_DEVICE_STATE_STOP);
        destination.move(VFIO_DEVICE_STATE_STOP);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7})
    void shouldBeReadAndWrittenInTinyPieces(int length) {
        OpenDevice source = bench.open("emulated:size=8KiB");
        OpenDevice destination = bench.open("emulated:size=8KiB");
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        int from = source.open(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.drain(from, stream, () -> length)).isZero();
        assertThat(stream.size()).isEqualTo((int) (HEADER + RECORD + 8192 + TRAILER));
        int to = destination.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.write(to, stream.toByteArray(), () -> length)).isZero();
        destination.move(VFIO_DEVICE_STATE_RUNNING);
        assertThat(destination.device.digest()).isEqualTo(source.device.digest());
    }

    @Test
    void shouldFillTheBufferAndMakeLongRecords() {
        OpenDevice source = bench.open("emulated:size=32MiB");
        int from = source.open(VFIO_DEVICE_STATE_STOP_COPY);
        long total = 32 * MIB + HEADER + 4 * RECORD + TRAILER;
        assertThat(source.dataSize()).isEqualTo(total);
        long left = total;
        while (left >= Bench.CHUNK) {
            assertThat(bench.read(from, Bench.CHUNK)).isEqualTo(Bench.CHUNK);
            left -= Bench.CHUNK;
        }
        assertThat(source.dataSize()).isEqualTo(left);
        assertThat(bench.read(from, Bench.CHUNK)).isEqualTo(left);
        assertThat(bench.read(from, Bench.CHUNK)).isZero();
        assertThat(bench.read(from, Bench.CHUNK)).as("0 at the end, for ever").isZero();
        assertThat(source.dataSize()).isZero();
    }

    @Test
    void shouldCountDownInitialBytesAndCountWhatChangesAfterwards() {
        OpenDevice source = bench.open("emulated:size=4MiB,dirty=1MiB/s");
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(source.info(from)).isEqualTo(new PrecopyReply(0, 0xeeeeeeee, 4 * MIB, 0));

        assertThat(bench.read(from, HEADER + RECORD + 100)).isEqualTo(HEADER + RECORD + 100);
        assertThat(source.info(from).initialBytes()).isEqualTo(4 * MIB - 100);

        bench.drain(from);
        assertThat(source.info(from)).isEqualTo(new PrecopyReply(0, 0xeeeeeeee, 0, 0));
        assertThat(bench.read(from, 1)).isEqualTo(ENOMSG);

        bench.pass(Bench.SECOND / 4);
        long dirty = source.info(from).dirtyBytes();
        // Four blocks have changed; two of them may be the same.
        assertThat(dirty).isPositive().isLessThanOrEqualTo(4 * BLOCK).matches(bytes -> bytes % BLOCK == 0);
        assertThat(source.info(from).initialBytes()).isZero();
        assertThat(source.dataSize()).isBetween(dirty + RECORD + TRAILER, dirty + 4 * RECORD + TRAILER);
        bench.drain(from);
        assertThat(source.info(from).dirtyBytes()).isZero();
    }

    @Test
    void shouldSendOnlyWhatChangedInASecondPass() {
        OpenDevice source = bench.open("emulated:size=16MiB,dirty=1MiB/s");
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        long first = bench.drain(from).length;
        bench.pass(Bench.SECOND);
        long second = bench.drain(from).length;
        assertThat(first).isGreaterThanOrEqualTo(16 * MIB);
        assertThat(second).isBetween(MIB / 2, MIB + 16 * RECORD);
        source.move(VFIO_DEVICE_STATE_STOP_COPY);
        bench.pass(Bench.SECOND);
        assertThat(bench.drain(from)).as("nothing changes in STOP_COPY").hasSize((int) TRAILER);
    }

    @Test
    void shouldTellTheRestApartFromInitialBytesWhenTheyAreLimited() {
        OpenDevice source = bench.open("emulated:size=4MiB,initial=1MiB");
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(source.info(from)).isEqualTo(new PrecopyReply(0, 0xeeeeeeee, MIB, 3 * MIB));
        for (long left = HEADER + RECORD + MIB; left > 0; ) {
            left -= bench.read(from, Math.min(left, Bench.CHUNK));
        }
        assertThat(source.info(from)).isEqualTo(new PrecopyReply(0, 0xeeeeeeee, 0, 3 * MIB));
        bench.drain(from);
        assertThat(source.info(from)).isEqualTo(new PrecopyReply(0, 0xeeeeeeee, 0, 0));
    }

    @Test
    void shouldAnswerZeroInPreCopyWhenToldSo() {
        OpenDevice source = bench.open("emulated:size=4KiB,drained=zero");
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(bench.drain(from)).hasSize((int) (HEADER + RECORD + 4096));
        assertThat(bench.read(from, 1)).isZero();
        source.move(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.read(from, 100)).isEqualTo(TRAILER);
        assertThat(bench.read(from, 100)).isZero();
    }

    @Test
    void shouldReportNewInitialDataOnceToWhoHasOptedIn() {
        OpenDevice source = bench.open("emulated:size=4MiB,initial=1MiB,dirty=1MiB/s");
        assertThat(source.optInToPrecopyInfoV2()).isZero();
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(source.info(from).flags()).isZero();
        bench.drain(from);
        bench.pass(Bench.SECOND / 16);
        source.device.reinit();
        PrecopyReply told = source.info(from);
        assertThat(told.flags()).isEqualTo(Vfio.VFIO_PRECOPY_INFO_REINIT);
        assertThat(told.initialBytes()).isBetween(MIB, MIB + BLOCK);
        assertThat(told.dirtyBytes()).isZero();
        assertThat(source.info(from).flags()).isZero();
        assertThat(bench.drain(from).length).isGreaterThanOrEqualTo((int) MIB);
    }

    @Test
    void shouldKnowPrecopyInfoInPreCopyOnly() {
        OpenDevice source = bench.open("emulated:size=4KiB");
        int old = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        source.move(VFIO_DEVICE_STATE_RUNNING);
        assertThat(source.info(old).result()).isEqualTo(EINVAL);
        int from = source.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(source.info(old).result()).isEqualTo(ENODEV);
        assertThat(bench.kernel.ioctl(from, Vfio.VFIO_MIG_GET_PRECOPY_INFO, MemorySegment.NULL))
                .isEqualTo(Errno.EFAULT.negated());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(24, 8);
            info.set(JAVA_INT, 0, 16);
            assertThat(bench.kernel.ioctl(from, Vfio.VFIO_MIG_GET_PRECOPY_INFO, info))
                    .isEqualTo(EINVAL);
            assertThat(bench.kernel.ioctl(from, 0x3bff, info)).isEqualTo(Errno.ENOTTY.negated());
        }
        source.move(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(source.info(from).result()).isEqualTo(EINVAL);
        int to = source.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(source.info(to).result()).isEqualTo(Errno.ENOTTY.negated());
    }

    @Test
    void shouldStayInResumingUntilAllHasCome() {
        OpenDevice source = bench.open("emulated:size=4KiB");
        byte[] stream = bench.drain(source.open(VFIO_DEVICE_STATE_STOP_COPY));
        OpenDevice destination = bench.open("emulated:size=4KiB");
        int to = destination.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(destination.set(VFIO_DEVICE_STATE_STOP)).isEqualTo(new Reply(EINVAL, -1));
        assertThat(bench.write(to, Arrays.copyOf(stream, stream.length - 1))).isZero();
        assertThat(destination.set(VFIO_DEVICE_STATE_RUNNING)).isEqualTo(new Reply(EINVAL, -1));
        assertThat(destination.state()).isEqualTo(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.write(to, Arrays.copyOfRange(stream, stream.length - 1, stream.length)))
                .isZero();
        assertThat(bench.write(to, new byte[1])).isEqualTo(Errno.ENOMEM.negated());
        assertThat(bench.kernel.close(to)).isZero();
        destination.move(VFIO_DEVICE_STATE_STOP);
        assertThat(destination.device.digest()).isEqualTo(source.device.digest());
    }

    @Test
    void shouldRefuseAStreamThatIsNotItsOwn() {
        byte[] stream = bench.drain(bench.open("emulated:size=8KiB").open(VFIO_DEVICE_STATE_STOP_COPY));
        byte[] noMagic = stream.clone();
        noMagic[0] ^= 1;
        byte[] badOffset = stream.clone();
        badOffset[(int) HEADER + 4] = 1;
        byte[] badLength = stream.clone();
        badLength[(int) HEADER + 8] = 1;
        badLength[(int) HEADER + 9] = 0x21;
        byte[] badTotal = stream.clone();
        badTotal[stream.length - 8] ^= 1;
        for (byte[] bad : new byte[][] {noMagic, badOffset, badLength, badTotal}) {
            OpenDevice destination = bench.open("emulated:size=8KiB");
            int to = destination.open(VFIO_DEVICE_STATE_RESUMING);
            assertThat(bench.write(to, bad)).isEqualTo(EINVAL);
            assertThat(bench.write(to, stream))
                    .as("wrong once is wrong for good")
                    .isEqualTo(EINVAL);
            assertThat(destination.set(VFIO_DEVICE_STATE_STOP)).isEqualTo(new Reply(EINVAL, -1));
            assertThat(destination.fd.reset()).isZero();
        }
        OpenDevice larger = bench.open("emulated:size=12KiB");
        assertThat(bench.write(larger.open(VFIO_DEVICE_STATE_RESUMING), stream)).isEqualTo(EINVAL);
    }

    @Test
    void shouldKillTheSessionWhenItsStatesAreLeftOrTheDeviceIsReset() {
        OpenDevice device = bench.open("emulated:size=4KiB");
        int saving = device.open(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.kernel.write(saving, bench.buffer, 0, 1)).isEqualTo(Errno.EBADF.negated());
        device.move(VFIO_DEVICE_STATE_STOP);
        assertThat(bench.read(saving, 1)).isEqualTo(ENODEV);
        assertThat(bench.read(saving, 0)).isEqualTo(ENODEV);

        int loading = device.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.read(loading, 1)).isEqualTo(Errno.EBADF.negated());
        assertThat(device.fd.reset()).isZero();
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
        assertThat(bench.kernel.write(loading, bench.buffer, 0, 1)).isEqualTo(ENODEV);

        int precopy = device.open(VFIO_DEVICE_STATE_PRE_COPY);
        bench.read(precopy, 100);
        device.device.reset();
        assertThat(bench.read(precopy, 1)).isEqualTo(ENODEV);
        int again = device.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(bench.drain(again)).as("all of it again").hasSize((int) (HEADER + RECORD + 4096));
    }

    @Test
    void shouldOpenNoSecondSessionWhenTheFirstWasClosedEarly() {
        OpenDevice device = bench.open("emulated:size=4KiB");
        assertThat(bench.kernel.close(device.open(VFIO_DEVICE_STATE_PRE_COPY))).isZero();
        device.move(VFIO_DEVICE_STATE_PRE_COPY);
        device.move(VFIO_DEVICE_STATE_STOP_COPY);
        device.move(VFIO_DEVICE_STATE_STOP);
        assertThat(device.open(VFIO_DEVICE_STATE_STOP_COPY)).isNotNegative();
    }

    @Test
    void shouldReadOnThroughADuplicate() {
        OpenDevice device = bench.open("emulated:size=4KiB");
        int from = device.open(VFIO_DEVICE_STATE_STOP_COPY);
        int copy = bench.kernel.dup(from);
        assertThat(bench.read(from, 10)).isEqualTo(10);
        assertThat(bench.kernel.close(from)).isZero();
        assertThat(bench.read(copy, Bench.CHUNK)).isEqualTo(HEADER + RECORD + 4096 + TRAILER - 10);
        assertThat(bench.kernel.close(copy)).isZero();
    }

    @Test
    void shouldBeAStreamWithoutPositions() {
        OpenDevice device = bench.open("emulated:size=4KiB");
        int from = device.open(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.kernel.pread(from, bench.buffer, 0, 1, 0)).isEqualTo(Errno.ESPIPE.negated());
        assertThat(bench.kernel.pwrite(from, bench.buffer, 0, 1, 0)).isEqualTo(Errno.ESPIPE.negated());
        assertThat(bench.kernel.mmap(4096, LibC.PROT_READ, LibC.MAP_SHARED, from, 0))
                .isEqualTo(ENODEV);
        assertThat(bench.kernel.ftruncate(from, 0)).isEqualTo(EINVAL);
        assertThatThrownBy(() -> bench.kernel.read(from, bench.buffer, Bench.CHUNK, 1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        MemorySegment heap = MemorySegment.ofArray(new byte[8]);
        assertThatThrownBy(() -> bench.kernel.read(from, heap, 0, 8)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldScatterAndGather() {
        OpenDevice source = bench.open("emulated:size=4KiB");
        OpenDevice destination = bench.open("emulated:size=4KiB");
        int from = source.open(VFIO_DEVICE_STATE_STOP_COPY);
        int to = destination.open(VFIO_DEVICE_STATE_RESUMING);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment places = arena.allocate(8192);
            MemorySegment vector = arena.allocate(2 * IoVec.STRUCT.size(), 8);
            IoVec.IOV_BASE.set(vector, places.address() + 4096);
            IoVec.IOV_LEN.set(vector, 1000);
            IoVec.IOV_BASE.set(vector.asSlice(16), places.address());
            IoVec.IOV_LEN.set(vector.asSlice(16), 4096);
            assertThat(bench.kernel.readv(from, vector, 2)).isEqualTo(HEADER + RECORD + 4096 + TRAILER);
            assertThat(places.asSlice(4096, 8).toArray(JAVA_BYTE))
                    .containsExactly("vfio4jst".getBytes(StandardCharsets.US_ASCII));
            IoVec.IOV_LEN.set(vector.asSlice(16), HEADER + RECORD + 4096 + TRAILER - 1000);
            assertThat(bench.kernel.writev(to, vector, 2)).isEqualTo(HEADER + RECORD + 4096 + TRAILER);
        }
        destination.move(VFIO_DEVICE_STATE_STOP);
        assertThat(destination.device.digest()).isEqualTo(source.device.digest());
    }

    @Test
    void shouldChangeWhileItRunsOnly() {
        OpenDevice device = bench.open("emulated:size=1MiB,dirty=1MiB/s");
        long before = device.device.digest();
        bench.pass(Bench.SECOND / 100);
        assertThat(device.device.digest()).as("not a whole block is due").isEqualTo(before);
        bench.pass(Bench.SECOND);
        long running = device.device.digest();
        assertThat(running).isNotEqualTo(before);
        device.move(VFIO_DEVICE_STATE_RUNNING_P2P);
        bench.pass(Bench.SECOND);
        assertThat(device.device.digest()).isNotEqualTo(running);
        device.move(VFIO_DEVICE_STATE_STOP);
        long stopped = device.device.digest();
        bench.pass(1000 * Bench.SECOND);
        assertThat(device.device.digest()).isEqualTo(stopped);
        device.move(VFIO_DEVICE_STATE_RUNNING);
        assertThat(device.device.digest()).as("time in STOP does not count").isEqualTo(stopped);
    }

    @Test
    void shouldBeRepeatableWithTheSameSeedAndClock() {
        long[] digests = new long[2];
        for (int i = 0; i < 2; i++) {
            try (Bench other = new Bench()) {
                OpenDevice device = other.open("emulated:size=1MiB,dirty=1MiB/s,seed=42");
                other.pass(Bench.SECOND / 3);
                digests[i] = device.device.digest();
            }
        }
        assertThat(digests[1]).isEqualTo(digests[0]);
    }

    @Test
    void shouldEstimateAWholeStopCopyOutsideASession() {
        OpenDevice device = bench.open("emulated:size=32MiB");
        assertThat(device.dataSize()).isEqualTo(32 * MIB + HEADER + 4 * RECORD + TRAILER);
        device.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(device.dataSize()).isEqualTo(32 * MIB + HEADER + 4 * RECORD + TRAILER);
    }
}
