// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A socket, an open file or what else is a channel, with a watchdog that closes it when a call has lasted too long. */
final class ChannelConnection implements Connection {
    /** For a file: closing it would wait for the call as well, and fail what was only slow. */
    static final Duration NO_LIMIT = Duration.ofDays(36_500);

    /**
     * A blocking write returns when all is taken, and a limit is for each call: in pieces, a slow peer that takes some
     * bytes is no silent one.
     */
    private static final int MAX_WRITE = 2 << 20;

    /** How many places one call can have: {@code IOV_MAX} of Linux. */
    private static final int MAX_PLACES = 1024;

    private final ByteChannel channel;
    private final String peer;
    private final Watchdog.Bound reading;
    private final Watchdog.Bound writing;
    private volatile Duration limit;
    private volatile boolean readsWait;

    ChannelConnection(ByteChannel channel, String peer, Duration limit, Watchdog watchdog) {
        this.channel = channel;
        this.peer = peer;
        this.limit = limit;
        this.reading = watchdog.bound(channel);
        this.writing = watchdog.bound(channel);
    }

    @Override
    public String peer() {
        return peer;
    }

    @Override
    public void limit(Duration wait) {
        limit = wait;
    }

    @Override
    public void within(@Nullable Duration total) {
        reading.within(total);
        writing.within(total);
    }

    @Override
    public void readsWait(boolean wait) {
        readsWait = wait;
    }

    @Override
    public void write(ByteBuffer from) throws TransportException {
        int end = from.limit();
        while (from.position() < end) {
            from.limit(Math.min(end, from.position() + MAX_WRITE));
            writing.begin(limit);
            try {
                channel.write(from);
            } catch (IOException e) {
                throw failure("writing to", e);
            } finally {
                writing.end();
            }
        }
    }

    @Override
    public long writeInPlace(ByteBuffer from) throws TransportException {
        if (!(channel instanceof ZeroCopyChannel socket)) {
            write(from);
            return 0;
        }
        while (from.hasRemaining()) {
            writing.begin(limit);
            try {
                socket.writeInPlace(from);
            } catch (IOException e) {
                throw failure("writing to", e);
            } finally {
                writing.end();
            }
        }
        return socket.sends();
    }

    @Override
    public boolean isWritten(long write) throws TransportException {
        try {
            return !(channel instanceof ZeroCopyChannel socket) || socket.completed() >= write;
        } catch (IOException e) {
            throw failure("writing to", e);
        }
    }

    @Override
    public void awaitWritten(long write) throws TransportException {
        if (channel instanceof ZeroCopyChannel socket) {
            writing.begin(limit);
            try {
                socket.awaitCompleted(write);
            } catch (IOException e) {
                throw failure("writing to", e);
            } finally {
                writing.end();
            }
        }
    }

    @Override
    public void write(ByteBuffer[] from) throws TransportException {
        if (!(channel instanceof GatheringByteChannel gathering)) {
            Connection.super.write(from);
            return;
        }
        int first = 0;
        while (first < from.length) {
            if (!from[first].hasRemaining()) {
                first++;
                continue;
            }
            // As many as make up one piece; the last of them may have to wait with a part of it.
            int count = 1;
            long bytes = from[first].remaining();
            while (bytes < MAX_WRITE && first + count < from.length && count < MAX_PLACES) {
                bytes += from[first + count].remaining();
                count++;
            }
            ByteBuffer last = from[first + count - 1];
            int end = last.limit();
            last.limit((int) (end - Math.max(0, bytes - MAX_WRITE)));
            writing.begin(limit);
            try {
                gathering.write(from, first, count);
            } catch (IOException e) {
                throw failure("writing to", e);
            } finally {
                writing.end();
                last.limit(end);
            }
        }
    }

    @Override
    public void read(ByteBuffer[] to) throws TransportException {
        if (!(channel instanceof ScatteringByteChannel scattering)) {
            Connection.super.read(to);
            return;
        }
        int first = 0;
        while (first < to.length) {
            if (!to[first].hasRemaining()) {
                first++;
                continue;
            }
            if (!readsWait) {
                reading.begin(limit);
            }
            try {
                if (scattering.read(to, first, Math.min(MAX_PLACES, to.length - first)) < 0) {
                    throw endsTooEarly();
                }
            } catch (TransportException e) {
                throw e;
            } catch (IOException e) {
                throw failure("reading from", e);
            } finally {
                reading.end();
            }
        }
    }

    @Override
    public void read(ByteBuffer to) throws TransportException {
        while (to.hasRemaining()) {
            if (readSome(to) < 0) {
                throw endsTooEarly();
            }
        }
    }

    private TransportException endsTooEarly() {
        return new TransportException(Problem.ENDED, peer + ": the stream ends before its end was sent", null);
    }

    @Override
    public boolean atEnd(ByteBuffer scratch) throws TransportException {
        return readSome(scratch) < 0;
    }

    private int readSome(ByteBuffer to) throws TransportException {
        if (!readsWait) {
            reading.begin(limit);
        }
        try {
            return channel.read(to);
        } catch (IOException e) {
            throw failure("reading from", e);
        } finally {
            reading.end();
        }
    }

    private TransportException failure(String what, IOException e) {
        if (reading.overdue() || writing.overdue()) {
            return new TransportException(
                    Problem.TIMED_OUT, peer + ": the other side has been silent for " + limit.toMillis() + " ms", e);
        }
        if (e instanceof ClosedChannelException) {
            return new TransportException(Problem.ENDED, peer + ": closed while " + what + " it", e);
        }
        String message = e.getMessage();
        boolean reset = message != null && (message.contains("reset") || message.contains("Broken pipe"));
        return new TransportException(
                reset ? Problem.ENDED : Problem.FAILED,
                reset ? peer + ": the other side has closed the connection" : what + " " + peer + " failed: " + message,
                e);
    }

    @Override
    public void stopReading() {
        try {
            switch (channel) {
                case SocketChannel socket -> socket.shutdownInput();
                case FdChannel socket -> socket.stopReading();
                default -> close();
            }
        } catch (IOException e) {
            // A socket whose input cannot be shut down is not connected any more.
            close();
        }
    }

    @Override
    public void close() {
        reading.release();
        writing.release();
        try {
            channel.close();
        } catch (IOException e) {
            // What was written has been checked by its reader's answer, or by force() for a file; nothing is lost here.
            writing.end();
        }
    }
}
