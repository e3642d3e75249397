// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Passage;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(LeakCheck.class)
class DiskHandlerTest {
    private static final long LENGTH = 8 << 20;
    private static final int CHUNK = 1 << 20;

    /** Two of the longest pieces of zeros, and some. */
    private static final long LARGE = 140 << 20;

    @TempDir
    private Path folder;

    /** The kernel, with what a test wants to fail; it notes what a disk asks for. */
    private static final class Recording extends ForwardingLibC {
        private final List<String> calls = new ArrayList<>();
        private boolean knowsHoles = true;
        private boolean knowsPunching = true;
        private long longestZeros;
        private long odd = -1;
        private long full = Long.MAX_VALUE;
        private long end = Long.MAX_VALUE;

        @Override
        public int fallocate(int fd, int mode, long offset, long length) {
            calls.add("fallocate " + mode);
            if (mode != 0) {
                longestZeros = Math.max(longestZeros, length);
            }
            if (offset == odd) {
                return Errno.EINVAL.negated();
            }
            if (mode == 0 && offset + length > full) {
                return Errno.ENOSPC.negated();
            }
            return knowsHoles && knowsPunching ? super.fallocate(fd, mode, offset, length) : Errno.EOPNOTSUPP.negated();
        }

        @Override
        public long lseek(int fd, long offset, int whence) {
            if (whence == LibC.SEEK_DATA) {
                return knowsHoles ? super.lseek(fd, offset, whence) : Errno.EINVAL.negated();
            }
            return Math.min(end, super.lseek(fd, offset, whence));
        }

        @Override
        public long pread(int fd, MemorySegment buffer, long offset, long length, long position) {
            calls.add("pread");
            return position >= end ? 0 : super.pread(fd, buffer, offset, Math.min(length, 300_000), position);
        }

        @Override
        public long pwrite(int fd, MemorySegment buffer, long offset, long length, long position) {
            calls.add("pwrite");
            return position >= full
                    ? Errno.ENOSPC.negated()
                    : super.pwrite(fd, buffer, offset, Math.min(length, 200_000), position);
        }

        @Override
        public int fsync(int fd) {
            calls.add("fsync");
            return super.fsync(fd);
        }

        long times(String call) {
            return calls.stream().filter(made -> made.startsWith(call)).count();
        }
    }

    private final Recording libc = new Recording();
    private final DiskFile from = new DiskFile(libc, LENGTH, DiskHandler.GRANULARITY, DiskFile::sparse);
    private DiskFile to = new DiskFile(libc, LENGTH, DiskHandler.GRANULARITY, DiskFile::sparse);

    @AfterEach
    void close() {
        from.close();
        to.close();
    }

    private static byte[] data(int count) {
        byte[] data = new byte[count];
        new Random(count).nextBytes(data);
        return data;
    }

    private void move() throws IOException {
        libc.calls.clear();
        Passage.allAtOnce(from.handler(), to.handler(), CHUNK);
    }

    @Test
    void shouldReadNoHolesAndMakeThem() throws IOException {
        from.write(4 << 20, data(4096));
        to.write(1 << 20, data(1 << 20));

        move();

        assertThat(libc.times("pread")).isEqualTo(1);
        assertThat(libc.times("pwrite")).isEqualTo(1);
        assertThat(to.contents()).isEqualTo(from.contents());
        assertThat((Long) Files.getAttribute(to.path(), "unix:size")).isEqualTo(LENGTH);
        assertThat(libc.lseek(to.fd, 0, LibC.SEEK_DATA)).isEqualTo(4 << 20);
    }

    @Test
    void shouldSendZerosThatAreNoHolesAsHoles() throws IOException {
        from.write(0, new byte[1 << 20]);
        to.write(0, data(4096));

        move();

        assertThat(to.contents()).isEqualTo(from.contents());
        assertThat(libc.lseek(to.fd, 0, LibC.SEEK_DATA)).isEqualTo(Errno.ENXIO.negated());
    }

    @Test
    void shouldMoveADiskWhereHolesAreNotKnown() throws IOException {
        libc.knowsHoles = false;
        from.write(3 << 20, data(500_000));
        to.write(0, data(1 << 20));

        move();

        assertThat(to.contents()).isEqualTo(from.contents());
    }

    @Test
    void shouldMoveADiskInAChannel() throws IOException {
        Path file = folder.resolve("disk");
        Files.write(file, data(1_000_001));
        Path there = folder.resolve("there");
        Files.write(there, data(1_000_000));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
                FileChannel other = FileChannel.open(there, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            other.write(ByteBuffer.allocate(1), 1_000_000);
            DiskHandler source = new DiskHandler("disk", new ChannelDisk(channel, 512, true));
            DiskHandler destination = new DiskHandler("disk", new ChannelDisk(other, 512, false));
            assertThat(destination.misfit(source.description())).isNull();

            Passage.allAtOnce(source, destination, CHUNK);

            assertThat(Files.mismatch(file, there)).isEqualTo(-1);
        }
    }

    @Test
    void shouldSendOnlyWhatWasWrittenSince() throws IOException {
        from.write(0, data(1 << 20));
        from.disk().saveSetup();
        assertThat(from.disk().description().attributes()).containsEntry("length", Long.toString(LENGTH));
        Passage.allAtOnce(from.handler(), to.handler(), CHUNK);
        from.write(5 << 20, data(100));

        assertThat(from.contents()).isNotEqualTo(to.contents());
        move();

        assertThat(to.contents()).isEqualTo(from.contents());
    }

    @Test
    void shouldNoteNothingWhileNoMigrationGoesOn() {
        from.disk().markDirty(LENGTH * 2, 1);

        from.disk().saveSetup();
        assertThatThrownBy(() -> from.disk().markDirty(LENGTH, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        from.disk().cleanup();
    }

    @Test
    void shouldBeOnDiskBeforeItIsLoaded() throws IOException {
        from.write(0, data(4096));

        move();

        assertThat(libc.calls).endsWith("fsync");
        assertThat(libc.times("fsync")).isEqualTo(1);
    }

    @Test
    void shouldBringMuchToDiskAsItComes() throws IOException {
        try (DiskFile large = new DiskFile(libc, 80 << 20, DiskHandler.GRANULARITY, DiskFile::sparse);
                DiskFile largeThere = new DiskFile(libc, 80 << 20, DiskHandler.GRANULARITY, DiskFile::sparse)) {
            large.write(0, data(70 << 20));
            libc.calls.clear();

            Passage.allAtOnce(large.handler(), largeThere.handler(), CHUNK);

            assertThat(libc.times("fsync")).isEqualTo(2);
            assertThat(largeThere.contents()).isEqualTo(large.contents());
        }
    }

    @Test
    void shouldMoveADiskInAFile() throws IOException {
        Path file = folder.resolve("disk");
        Path there = folder.resolve("there");
        Files.write(file, data(3_000_000));
        Files.write(there, new byte[3_000_000]);
        int fd = libc.open(file.toString(), LibC.O_RDONLY | LibC.O_CLOEXEC);
        int fdThere = libc.open(there.toString(), LibC.O_RDWR | LibC.O_CLOEXEC);
        try {
            Passage.allAtOnce(
                    new DiskHandler("disk", new FdDisk(libc, fd, "disk", 512, true, FdDisk.Room.AS_NEEDED)),
                    new DiskHandler("disk", new FdDisk(libc, fdThere, "there", 512, false, FdDisk.Room.AS_NEEDED)),
                    CHUNK);
        } finally {
            libc.close(fd);
            libc.close(fdThere);
        }

        assertThat(Files.mismatch(file, there)).isEqualTo(-1);
    }

    @Test
    void shouldSayThatThereIsNoRoomBeforeAnythingIsReplacedWhereRoomIsReserved() throws IOException {
        to.close();
        to = new DiskFile(
                libc,
                LENGTH,
                DiskHandler.GRANULARITY,
                (system, fd) -> new FdDisk(system, fd, "/disk.img", 512, false, FdDisk.Room.RESERVED));
        to.write(0, data(4096));
        Object before = to.contents();
        libc.full = LENGTH / 2;

        assertThatThrownBy(this::move)
                .hasMessage("/disk.img: taking the room for 8388608 bytes: " + Errno.describe(Errno.ENOSPC.negated()));
        assertThat(to.contents()).isEqualTo(before);

        libc.full = Long.MAX_VALUE;
        move();
        assertThat(to.contents()).isEqualTo(from.contents());
    }

    @Test
    void shouldNameThePlaceWhereThereIsNoMoreRoom() {
        from.write(6 << 20, data(4096));
        libc.full = 5 << 20;
        libc.knowsHoles = false;

        assertThatThrownBy(this::move)
                .hasMessageStartingWith("disk: writing ")
                .hasMessageContaining(" bytes at ")
                .hasMessageEndingWith(Errno.describe(Errno.ENOSPC.negated()));
    }

    @Test
    void shouldSayThatTheDiskHasShrunk() throws IOException {
        from.write(6 << 20, data(4096));
        libc.end = 5 << 20;

        assertThatThrownBy(() -> from.handler().prepare())
                .hasMessage("the disk has changed from 8388608 to 5242880 bytes");
        assertThatThrownBy(() -> Passage.bytesOf(from.handler(), CHUNK))
                .hasMessageContaining("the disk has shrunk from 8388608 to ");
        from.disk().cleanup();
    }

    @Test
    void shouldRefusePiecesThatLieBeyondTheDisk() throws IOException {
        from.write(0, data(4096));
        int refused = 0;
        // The trailer of the first piece: its place, and how much it stands for.
        for (int at = 4096; at < 4096 + 16; at++) {
            Object before = to.contents();
            try {
                Passage.altered(from.handler(), to.handler(), CHUNK, at, 0x80);
            } catch (IOException e) {
                refused++;
                assertThat(e).hasMessageContaining("of a disk of 8388608");
                assertThat(to.contents()).isEqualTo(before);
            }
        }
        // All but those that leave its place within the disk.
        assertThat(refused).isEqualTo(16 - 2);
        assertThatThrownBy(() -> Passage.cut(from.handler(), to.handler(), CHUNK, 15))
                .hasMessageContaining("says not where it belongs");
    }

    private DiskFile large() {
        return new DiskFile(libc, LARGE, DiskHandler.GRANULARITY, DiskFile::sparse);
    }

    /** In one call of the destination, during which its peer hears nothing of it. */
    @Test
    void shouldMakeNoMoreThanAPartOfALargeHoleAtATime() throws IOException {
        try (DiskFile large = large();
                DiskFile largeThere = large()) {
            large.write(LARGE - 4096, data(4096));
            largeThere.write(100 << 20, data(4096));

            Passage.allAtOnce(large.handler(), largeThere.handler(), CHUNK);

            assertThat(libc.longestZeros).isEqualTo(64 << 20);
            assertThat(largeThere.contents()).isEqualTo(large.contents());
        }
    }

    @Test
    void shouldRefuseAPieceOfMoreZerosThanThat() throws IOException {
        try (DiskFile largeThere = large();
                Passage passage = Passage.into(largeThere.handler(), CHUNK)) {
            largeThere.write(0, data(4096));
            Object before = largeThere.contents();
            largeThere.handler().loadSetup();

            assertThatThrownBy(() -> sendZeros(passage, (64 << 20) + 1))
                    .hasMessage("a piece of zeros for 67108865 bytes at 0; 67108864 is the most");
            assertThat(largeThere.contents()).isEqualTo(before);

            sendZeros(passage, 64 << 20);
            assertThat(libc.lseek(largeThere.fd, 0, LibC.SEEK_DATA)).isEqualTo(Errno.ENXIO.negated());
        }
    }

    private static void sendZeros(Passage passage, long count) throws IOException {
        PooledBuffer piece = passage.acquire();
        piece.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + 16)
                .putLong(0)
                .putLong(count);
        piece.length(16);
        passage.send(piece);
    }

    /** An image of a monitor's own, with holes that lie anywhere; it notes where each call begins and ends. */
    private static final class Picky implements DiskImage {
        private final byte[] bytes;
        private final int sector;
        private final List<Long> holes;
        private final List<Long> edges = new ArrayList<>();

        Picky(byte[] bytes, int sector, Long... holes) {
            this.bytes = bytes;
            this.sector = sector;
            this.holes = holes.length == 0 ? List.of(0L, (long) bytes.length) : List.of(holes);
        }

        private int noted(long position, long count) {
            edges.add(position);
            edges.add(position + count == bytes.length ? 0 : position + count);
            return (int) position;
        }

        @Override
        public long length() {
            return bytes.length;
        }

        @Override
        public int blockSize() {
            return sector;
        }

        @Override
        public boolean isReadOnly() {
            return false;
        }

        @Override
        public int read(ByteBuffer to, long position) {
            int count = to.remaining();
            to.put(bytes, noted(position, count), count);
            return count;
        }

        @Override
        public void write(ByteBuffer from, long position) {
            int count = from.remaining();
            from.get(bytes, noted(position, count), count);
        }

        @Override
        public long zero(long position, long count) {
            Arrays.fill(bytes, noted(position, count), (int) (position + count), (byte) 0);
            return 0;
        }

        /** Holes and data by turns, a hole first. */
        private long next(long position, int parity) {
            long at = 0;
            for (int i = 0; i < holes.size(); i++) {
                if (position < holes.get(i) && i % 2 == parity) {
                    return Math.max(at, position);
                }
                at = holes.get(i);
            }
            return bytes.length;
        }

        @Override
        public long nextData(long position) {
            return next(position, 1);
        }

        @Override
        public long nextHole(long position) {
            return next(position, 0);
        }

        @Override
        public void flush() {}
    }

    @Test
    void shouldReadWriteAndPunchWholeSectorsOnly() throws IOException {
        int length = 1_000_003;
        byte[] bytes = data(length);
        Arrays.fill(bytes, 0, 5000, (byte) 0);
        Arrays.fill(bytes, 70_001, 300_001, (byte) 0);
        // With a hole to the end; the chunks have room for no whole number of sectors.
        Arrays.fill(bytes, 900_100, length, (byte) 0);
        Picky source = new Picky(bytes, 4096, 5000L, 70_001L, 300_001L, 900_100L, (long) length);
        Picky destination = new Picky(data(length), 4096);

        // Also where the log of writes is finer than a sector.
        Passage.allAtOnce(new DiskHandler("disk", source, 512), new DiskHandler("disk", destination, 512), 3 * 4096);

        assertThat(destination.bytes).isEqualTo(bytes);
        assertThat(source.edges).isNotEmpty().allMatch(edge -> edge % 4096 == 0);
        assertThat(destination.edges).isNotEmpty().allMatch(edge -> edge % 4096 == 0);
    }

    @Test
    void shouldMoveSectorsThatNoChunkHasRoomFor() throws IOException {
        byte[] bytes = data(20_000);
        Picky destination = new Picky(new byte[20_000], 8192);

        Passage.allAtOnce(new DiskHandler("disk", new Picky(bytes, 8192)), new DiskHandler("disk", destination), 4096);

        assertThat(destination.bytes).isEqualTo(bytes);
    }

    @Test
    void shouldRefuseSectorsThatCannotBe() {
        for (int sector : new int[] {0, -512, 1000, Integer.MIN_VALUE, 128 << 20}) {
            assertThatThrownBy(() -> new DiskHandler("disk", new Picky(new byte[512], sector)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("a disk with sectors of " + sector + " bytes");
        }
    }

    @Test
    void shouldExpectNoLessThanWhatSmallChunksTake() throws IOException {
        byte[] bytes = data(512 * 1024);
        DiskHandler handler = new DiskHandler("disk", new Picky(bytes, 512), 4096);
        Pending pending = new Pending();
        handler.saveSetup();
        handler.pending(0, StateHandler.Precision.EXACT, pending);

        assertThat(pending.preCopyBytes()).isGreaterThanOrEqualTo(Passage.bytesOf(handler, 4096));
    }

    @Test
    void shouldGoOnMakingHolesWhenOneOfThemCannotBeMade() throws IOException {
        from.write(1 << 20, data(4096));
        from.write(4 << 20, data(4096));
        to.write(0, data((int) LENGTH));
        libc.odd = 0;

        move();

        assertThat(to.contents()).isEqualTo(from.contents());
        assertThat(libc.times("fallocate")).isEqualTo(3);
        assertThat(libc.lseek(to.fd, (1 << 20) + 4096, LibC.SEEK_DATA)).isEqualTo(4 << 20);
    }

    @Test
    void shouldNotAskForHolesAgainWhereThereAreNone() throws IOException {
        from.write(1 << 20, data(4096));
        from.write(4 << 20, data(4096));
        // The destination's alone.
        libc.knowsPunching = false;

        move();

        assertThat(to.contents()).isEqualTo(from.contents());
        assertThat(libc.times("fallocate")).isEqualTo(1);
    }

    /** Zeros that take room are as long on their way to disk as anything else. */
    @Test
    void shouldBringZerosToDiskAsTheyAreWritten() throws IOException {
        libc.knowsPunching = false;
        try (DiskFile large = large();
                DiskFile largeThere = large()) {
            libc.calls.clear();

            Passage.allAtOnce(large.handler(), largeThere.handler(), CHUNK);

            // 64 MiB, 64 MiB, and the rest.
            assertThat(libc.times("fsync")).isEqualTo(3);
        }
    }

    @Test
    void shouldWriteNoZerosIntoAChannelWhereThereAreZeros() throws IOException {
        Path file = folder.resolve("disk");
        byte[] bytes = new byte[1 << 20];
        Arrays.fill(bytes, 0, 70_000, (byte) 1);
        Files.write(file, bytes);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ChannelDisk disk = new ChannelDisk(channel, 512, false);

            assertThat(disk.zero(0, 1 << 20)).isEqualTo(2 << 16);
            assertThat(disk.zero(0, 1 << 20)).isZero();
        }
        assertThat(Files.readAllBytes(file)).isEqualTo(new byte[1 << 20]);
    }
}
