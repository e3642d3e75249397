// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Passage;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
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

    @TempDir
    private Path folder;

    /** The kernel, with what a test wants to fail; it notes what a disk asks for. */
    private static final class Recording extends ForwardingLibC {
        private final List<String> calls = new ArrayList<>();
        private boolean knowsHoles = true;
        private long full = Long.MAX_VALUE;
        private long end = Long.MAX_VALUE;

        @Override
        public int fallocate(int fd, int mode, long offset, long length) {
            calls.add("fallocate " + mode);
            if (mode == 0 && offset + length > full) {
                return Errno.ENOSPC.negated();
            }
            return knowsHoles ? super.fallocate(fd, mode, offset, length) : Errno.EOPNOTSUPP.negated();
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
        // The trailer of the first piece: its place, and how much it stands for.
        for (int at = 65_536; at < 65_536 + 16; at++) {
            int byteOfTrailer = at;
            Object before = to.contents();
            try {
                Passage.altered(from.handler(), to.handler(), CHUNK, byteOfTrailer, 0x80);
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("of a disk of 8388608");
                assertThat(to.contents()).isEqualTo(before);
            }
        }
        assertThatThrownBy(() -> Passage.cut(from.handler(), to.handler(), CHUNK, 15))
                .hasMessageContaining("says not where it belongs");
    }
}
