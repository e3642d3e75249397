// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.NonReadableChannelException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A file that is written past the page cache (O_DIRECT), front to back.
 *
 * <p>The kernel takes whole blocks at whole offsets only, so what comes is gathered in a buffer, which costs a copy.
 * What does not fill a block when it must be on disk goes by the page cache, and again directly when the block is full.
 * Any thread may close, which waits for the call under way.
 */
final class DirectChannel implements FileOutput {
    /** Large enough that the disk's own work is all that counts. */
    private static final int BUFFER_BYTES = 1 << 20;

    /** No Linux file system asks for more of its writers by default. */
    private static final int BLOCK = 4096;

    private final LibC libc;
    private final int fd;
    private final FileChannel cached;
    private final ByteBuffer gathered =
            ByteBuffer.allocateDirect(BUFFER_BYTES + BLOCK).alignedSlice(BLOCK).limit(BUFFER_BYTES);
    private final MemorySegment memory = MemorySegment.ofBuffer(gathered.duplicate());
    /** Where in the file the buffer begins. */
    private long offset;

    private boolean closed;

    private DirectChannel(LibC libc, int fd, FileChannel cached) {
        this.libc = libc;
        this.fd = fd;
        this.cached = cached;
    }

    /** Opens an empty file. Not every file system can do this. */
    static DirectChannel open(LibC libc, Path file) throws IOException {
        FileChannel cached = FileChannel.open(file, StandardOpenOption.WRITE);
        int fd = libc.open(file.toString(), LibC.O_WRONLY | LibC.O_CLOEXEC | directFlag());
        if (fd < 0) {
            cached.close();
            throw new IOException("its file system cannot write past the page cache: " + Errno.describe(fd));
        }
        return new DirectChannel(libc, fd, cached);
    }

    /** {@code O_DIRECT}, which is not the same number everywhere. */
    static int directFlag() {
        return switch (System.getProperty("os.arch", "")) {
            case "aarch64", "arm" -> 0x10000;
            case "ppc64le", "ppc64" -> 0x20000;
            default -> 0x4000;
        };
    }

    @Override
    public synchronized int write(ByteBuffer from) throws IOException {
        int length = from.remaining();
        while (from.hasRemaining()) {
            int part = Math.min(from.remaining(), gathered.remaining());
            gathered.put(gathered.position(), from, from.position(), part);
            gathered.position(gathered.position() + part);
            from.position(from.position() + part);
            if (!gathered.hasRemaining()) {
                writeBlocks();
            }
        }
        return length;
    }

    /** Writes the whole blocks of what was gathered; the rest moves to the buffer's front. */
    private void writeBlocks() throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        int end = gathered.position();
        int whole = end & -BLOCK;
        int written = 0;
        while (written < whole) {
            long result = libc.pwrite(fd, memory, written, whole - written, offset + written);
            if (result < 0 && !Errno.EINTR.is(result)) {
                throw new IOException(Errno.describe(result));
            }
            written += (int) Math.max(0, result);
        }
        offset += whole;
        gathered.position(whole).limit(end);
        gathered.compact().limit(BUFFER_BYTES);
    }

    @Override
    public synchronized void force() throws IOException {
        flush();
        cached.force(true);
    }

    /** Writes all that was gathered; what does not fill a block stays to be written again with what fills it. */
    private void flush() throws IOException {
        writeBlocks();
        ByteBuffer rest = gathered.duplicate().flip();
        long at = offset;
        while (rest.hasRemaining()) {
            at += cached.write(rest, at);
        }
    }

    @Override
    public synchronized void goOnAt(long position) throws IOException {
        flush();
        gathered.clear().limit(BUFFER_BYTES);
        offset = position;
    }

    @Override
    public int read(ByteBuffer to) {
        throw new NonReadableChannelException();
    }

    @Override
    public synchronized boolean isOpen() {
        return !closed;
    }

    @Override
    public synchronized void close() throws IOException {
        if (!closed) {
            closed = true;
            libc.close(fd);
            cached.close();
        }
    }
}
