// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;

/** A file of this host that is read. */
final class ReadFile implements IncomingFile {
    private final FileChannel channel;
    private final Connection connection;

    /** Takes the channel over. */
    ReadFile(FileChannel channel, TransportAddress.File address, Watchdog watchdog) {
        this.channel = channel;
        this.connection = new ChannelConnection(channel, address.toString(), ChannelConnection.NO_LIMIT, watchdog);
    }

    @Override
    public Connection connection() {
        return connection;
    }

    @Override
    public long position() throws TransportException {
        try {
            return channel.position();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public void position(long position) throws TransportException {
        try {
            channel.position(position);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public void read(ByteBuffer to, long position) throws TransportException {
        long at = position;
        try {
            while (to.hasRemaining()) {
                int length = channel.read(to, at);
                if (length < 0) {
                    throw new TransportException(
                            Problem.ENDED, connection.peer() + ": the file ends before byte " + at, null);
                }
                at += length;
            }
        } catch (TransportException e) {
            throw e;
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private TransportException failed(IOException e) {
        return e instanceof ClosedChannelException
                ? new TransportException(Problem.ENDED, connection.peer() + ": closed while reading from it", e)
                : new TransportException(
                        Problem.FAILED, "reading from " + connection.peer() + " failed: " + e.getMessage(), e);
    }

    @Override
    public void close() {
        connection.close();
    }
}
