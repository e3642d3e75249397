// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.CRC32C;

/** A disk in a memfd or on a device, with a guest that writes to it. */
final class DiskFile implements MachinePart {
    static final int SECTOR = 512;

    private final LibC libc;
    final int fd;
    private final long length;
    private final DiskHandler handler;

    /** What the handler is to see of the fd. */
    @FunctionalInterface
    interface Image {
        DiskImage of(LibC libc, int fd);
    }

    DiskFile(LibC libc, long length, int granularity, Image image) {
        this(libc, memory(libc, length), length, granularity, image);
    }

    /** Takes the fd of whatever it is. */
    DiskFile(LibC libc, int fd, long length, int granularity, Image image) {
        this.libc = libc;
        this.length = length;
        this.fd = fd;
        try {
            this.handler = new DiskHandler("disk", image.of(libc, fd), granularity);
        } catch (IOException e) {
            libc.close(fd);
            throw new UncheckedIOException(e);
        }
    }

    private static int memory(LibC libc, long length) {
        int fd = libc.memfdCreate("disk", LibC.MFD_CLOEXEC);
        if (fd < 0 || libc.ftruncate(fd, length) < 0) {
            throw new IllegalStateException("no disk");
        }
        return fd;
    }

    static DiskImage sparse(LibC libc, int fd) {
        return new FdDisk(libc, fd, "disk", SECTOR, false, FdDisk.Room.AS_NEEDED);
    }

    DiskHandler disk() {
        return handler;
    }

    @Override
    public StateHandler handler() {
        return handler;
    }

    /** Writes a few sectors, of zeros now and then. */
    @Override
    public void change(Random random) {
        int count = SECTOR * (1 + random.nextInt(16));
        long offset = random.nextLong(length - count);
        byte[] bytes = new byte[count];
        if (random.nextInt(4) > 0) {
            random.nextBytes(bytes);
        }
        write(offset, bytes);
    }

    void write(long offset, byte[] bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            long written = 0;
            while (written < bytes.length) {
                long count = libc.pwrite(fd, data, written, bytes.length - written, offset + written);
                if (count < 0) {
                    throw new IllegalStateException("a disk that cannot be written");
                }
                written += count;
            }
        }
        handler.markDirty(offset, bytes.length);
    }

    @Override
    public Object contents() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);
        CRC32C crc = new CRC32C();
        long at = 0;
        long count = 1;
        while (count > 0) {
            count = libc.pread(fd, MemorySegment.ofBuffer(buffer.clear()), 0, buffer.capacity(), at);
            crc.update(buffer.limit((int) Math.max(0, count)));
            at += Math.max(0, count);
        }
        return at + " bytes, " + Long.toHexString(crc.getValue());
    }

    Path path() {
        return Path.of("/proc/self/fd/" + fd);
    }

    @Override
    public void close() {
        libc.close(fd);
    }
}
