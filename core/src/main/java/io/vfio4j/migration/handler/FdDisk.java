// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A disk in a file or on a block device, by its fd, which stays the caller's. Holes are found by {@code SEEK_DATA} and
 * made by {@code fallocate}, where the file system has these.
 *
 * <p>{@link #length}, {@link #nextData} and {@link #nextHole} are {@code lseek(2)}, which moves the offset of the open
 * file: whoever else uses this fd, or one that {@code dup(2)} made of it, must read and write by position, as
 * {@code pread(2)} and {@code pwrite(2)} do, or open the file anew.
 */
public final class FdDisk implements DiskImage {
    private static final int ZEROS = 1 << 20;

    /** What memory is aligned to, for an fd that is open with {@code O_DIRECT}. */
    private static final int PAGE = 4096;

    /** How the disk takes its room. */
    public enum Room {
        /** As it is written; a full file system ends the migration then. */
        AS_NEEDED,
        /** All of it before anything is replaced. */
        RESERVED
    }

    private final LibC libc;
    private final int fd;
    private final String path;
    private final int blockSize;
    private final boolean readOnly;
    private final Room room;
    private boolean holesUnknown;
    private boolean cannotPunch;
    private @Nullable ByteBuffer zeros;

    /**
     * Names the disk.
     *
     * @param libc the system calls
     * @param fd open for reading, and for writing unless it is read-only
     * @param path what messages call it
     * @param blockSize what the guest sees as the size of a sector, in bytes, a power of two
     * @param readOnly whether it cannot be written to
     * @param room how it takes its room when it is loaded into
     */
    public FdDisk(LibC libc, int fd, String path, int blockSize, boolean readOnly, Room room) {
        this.libc = libc;
        this.fd = fd;
        this.path = path;
        this.blockSize = blockSize;
        this.readOnly = readOnly;
        this.room = room;
    }

    @Override
    public long length() throws IOException {
        return require("its length cannot be told", libc.lseek(fd, 0, LibC.SEEK_END));
    }

    @Override
    public int blockSize() {
        return blockSize;
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public int read(ByteBuffer to, long position) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(to);
        long count = Errno.EINTR.negated();
        while (Errno.EINTR.is(count)) {
            count = libc.pread(fd, memory, 0, to.remaining(), position);
        }
        if (count < 0) {
            throw failed("reading " + to.remaining() + " bytes at " + position, count);
        }
        to.position(to.position() + (int) count);
        return count == 0 ? -1 : (int) count;
    }

    @Override
    public void write(ByteBuffer from, long position) throws IOException {
        long at = position;
        while (from.hasRemaining()) {
            long count = libc.pwrite(fd, MemorySegment.ofBuffer(from), 0, from.remaining(), at);
            if (Errno.EINTR.is(count)) {
                continue;
            }
            if (count < 0) {
                throw failed("writing " + from.remaining() + " bytes at " + at, count);
            }
            from.position(from.position() + (int) count);
            at += count;
        }
    }

    @Override
    public long zero(long position, long count) throws IOException {
        // With all room taken before, a hole would give it away again.
        int how = room == Room.RESERVED
                ? LibC.FALLOC_FL_ZERO_RANGE | LibC.FALLOC_FL_KEEP_SIZE
                : LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE;
        int result = cannotPunch ? Errno.EOPNOTSUPP.negated() : libc.fallocate(fd, how, position, count);
        if (result == 0) {
            return 0;
        }
        boolean unknown = Errno.EOPNOTSUPP.is(result) || Errno.ENODEV.is(result);
        // A block device says EINVAL to a part that does not lie on its sectors; the next one may.
        if (!unknown && !Errno.EINVAL.is(result)) {
            throw failed("making zeros of " + count + " bytes at " + position, result);
        }
        cannotPunch = unknown;
        ByteBuffer block = zeros();
        for (long at = position; at < position + count; at += block.capacity()) {
            block.clear().limit((int) Math.min(block.capacity(), position + count - at));
            write(block, at);
        }
        return count;
    }

    private ByteBuffer zeros() {
        ByteBuffer block = zeros;
        if (block == null) {
            block = ByteBuffer.allocateDirect(ZEROS + PAGE)
                    .alignedSlice(PAGE)
                    .limit(ZEROS)
                    .slice();
            zeros = block;
        }
        return block;
    }

    @Override
    public long nextData(long position) throws IOException {
        if (holesUnknown) {
            return position;
        }
        long data = libc.lseek(fd, position, LibC.SEEK_DATA);
        if (Errno.ENXIO.is(data)) {
            return length();
        }
        // A file system or block device that does not know of holes.
        holesUnknown = data < 0;
        return holesUnknown ? position : data;
    }

    @Override
    public long nextHole(long position) throws IOException {
        long hole = holesUnknown ? -1 : libc.lseek(fd, position, LibC.SEEK_HOLE);
        return hole < 0 ? length() : hole;
    }

    @Override
    public void reserve() throws IOException {
        if (room == Room.RESERVED) {
            require("taking the room for " + length() + " bytes", libc.fallocate(fd, 0, 0, length()));
        }
    }

    @Override
    public void flush() throws IOException {
        require("bringing it to disk", libc.fsync(fd));
    }

    private long require(String what, long result) throws IOException {
        if (result < 0) {
            throw failed(what, result);
        }
        return result;
    }

    private IOException failed(String what, long result) {
        return new IOException(path + ": " + what + ": " + Errno.describe(result));
    }

    @Override
    public String toString() {
        return path;
    }
}
