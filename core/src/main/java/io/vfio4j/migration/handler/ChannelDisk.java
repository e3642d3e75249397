// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/**
 * A disk in a file that is open as a channel, which stays the caller's. A channel does not know of holes: zeros are
 * found by reading and written as zeros; {@link FdDisk} does better.
 */
public final class ChannelDisk implements DiskImage {
    private static final int ZEROS = 1 << 16;

    private final FileChannel channel;
    private final int blockSize;
    private final boolean readOnly;

    /**
     * Names the disk.
     *
     * @param channel open for reading, and for writing unless it is read-only
     * @param blockSize what the guest sees as the size of a sector, in bytes, a power of two
     * @param readOnly whether it cannot be written to
     */
    public ChannelDisk(FileChannel channel, int blockSize, boolean readOnly) {
        this.channel = channel;
        this.blockSize = blockSize;
        this.readOnly = readOnly;
    }

    @Override
    public long length() throws IOException {
        return channel.size();
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
        return channel.read(to, position);
    }

    @Override
    public void write(ByteBuffer from, long position) throws IOException {
        long at = position;
        while (from.hasRemaining()) {
            at += channel.write(from, at);
        }
    }

    /** What is zero already is left as it is. */
    @Override
    public long zero(long position, long count) throws IOException {
        ByteBuffer there = ByteBuffer.allocateDirect((int) Math.min(ZEROS, count));
        ByteBuffer zeros = ByteBuffer.allocateDirect(there.capacity());
        long written = 0;
        long at = position;
        while (at < position + count) {
            there.clear().limit((int) Math.min(there.capacity(), position + count - at));
            int read = Math.max(channel.read(there, at), 0);
            int length = read == 0 ? there.limit() : read;
            there.flip();
            zeros.clear().limit(length);
            if (read == 0 || !there.equals(zeros)) {
                write(zeros, at);
                written += length;
            }
            at += length;
        }
        return written;
    }

    @Override
    public void flush() throws IOException {
        channel.force(false);
    }
}
