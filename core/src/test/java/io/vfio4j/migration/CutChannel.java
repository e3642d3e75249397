// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.InterruptibleChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.atomic.AtomicLong;

/** A connection that breaks when so many bytes have gone, and another one with it; it counts them. */
final class CutChannel implements ByteChannel, InterruptibleChannel {
    private final SocketChannel channel;
    private final SocketChannel beside;
    private final long cutAt;
    private final AtomicLong written = new AtomicLong();

    CutChannel(SocketChannel channel, SocketChannel beside, long cutAt) {
        this.channel = channel;
        this.beside = beside;
        this.cutAt = cutAt;
    }

    long written() {
        return written.get();
    }

    @Override
    public int read(ByteBuffer to) throws IOException {
        return channel.read(to);
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        long left = cutAt - written.get();
        if (left <= 0) {
            channel.close();
            beside.close();
            throw new IOException("the cable was pulled");
        }
        int limit = from.limit();
        from.limit((int) Math.min(limit, from.position() + left));
        try {
            int count = channel.write(from);
            written.addAndGet(count);
            return count;
        } finally {
            from.limit(limit);
        }
    }

    @Override
    public boolean isOpen() {
        return channel.isOpen();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
