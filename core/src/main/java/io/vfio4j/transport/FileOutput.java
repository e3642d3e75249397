// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.NonReadableChannelException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that is written front to back, and can be brought to disk. */
interface FileOutput extends ByteChannel {
    void force() throws IOException;

    /** Opens an empty file that is written by way of the page cache. */
    static FileOutput cached(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        return new FileOutput() {
            @Override
            public int write(ByteBuffer from) throws IOException {
                return channel.write(from);
            }

            @Override
            public void force() throws IOException {
                channel.force(true);
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
