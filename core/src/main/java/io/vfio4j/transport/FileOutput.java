// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.NonReadableChannelException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that is written front to back, with gaps, and can be brought to disk. */
interface FileOutput extends ByteChannel, GatheringByteChannel {
    void force() throws IOException;

    /** Leaves a gap: goes on at a whole block's offset behind what was written so far. */
    void goOnAt(long position) throws IOException;

    @Override
    default long write(ByteBuffer[] from) throws IOException {
        return write(from, 0, from.length);
    }

    @Override
    default long write(ByteBuffer[] from, int offset, int length) throws IOException {
        long written = 0;
        for (int i = offset; i < offset + length; i++) {
            written += write(from[i]);
        }
        return written;
    }

    /** Opens an empty file that is written by way of the page cache. */
    static FileOutput cached(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        return new FileOutput() {
            @Override
            public int write(ByteBuffer from) throws IOException {
                return channel.write(from);
            }

            @Override
            public long write(ByteBuffer[] from, int offset, int length) throws IOException {
                return channel.write(from, offset, length);
            }

            @Override
            public void force() throws IOException {
                channel.force(true);
            }

            @Override
            public void goOnAt(long position) throws IOException {
                channel.position(position);
            }

            @Override
            public int read(ByteBuffer to) {
                throw new NonReadableChannelException();
            }

            @Override
            public boolean isOpen() {
                return channel.isOpen();
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }
}
