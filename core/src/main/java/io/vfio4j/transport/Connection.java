// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a peer, or an open file: bytes in order, each wait with a bound.
 *
 * <p>One thread reads and one writes, not both at once on the same time limit. Any thread may close it, which ends a
 * call that blocks. Owned by whoever opened or accepted it. Buffers must be direct; nothing is allocated per call.
 */
public final class Connection implements AutoCloseable {
    /**
     * A blocking write returns when all is taken, and a limit is for each call: in pieces, a slow peer that takes some
     * bytes is no silent one.
     */
    private static final int MAX_WRITE = 2 << 20;

    private final ByteChannel channel;
    private final String peer;
    private final Watchdog.Bound bound;
    private volatile Duration limit;

    Connection(ByteChannel channel, String peer, Duration limit, Watchdog watchdog) {
        this.channel = channel;
        this.peer = peer;
        this.limit = limit;
        this.bound = watchdog.bound(channel);
    }

    /**
     * Returns who or what is at the other end.
     *
     * @return such as {@code tcp:192.0.2.1:4444}
     */
    public String peer() {
        return peer;
    }

    /**
     * Sets how long one call may wait: a read for the first byte, a write until the peer has taken 2 MiB or what is
     * left.
     *
     * @param wait the limit, &gt; 0
     */
    public void limit(Duration wait) {
        limit = wait;
    }

    /**
     * Sets how long all calls from now on may take together, beside the limit of each: a peer that sends a byte now and
     * then is not silent, yet may not go on for ever.
     *
     * @param total the limit, &gt; 0; null takes it away
     */
    public void within(@Nullable Duration total) {
        bound.within(total);
    }

    /**
     * Writes all of a buffer.
     *
     * @param from a direct buffer, from its position to its limit
     * @throws TransportException {@code TIMED_OUT} when the peer takes nothing for too long, {@code ENDED} when it has
     *     closed, {@code FAILED} for any other failure
     */
    public void write(ByteBuffer from) throws TransportException {
        int end = from.limit();
        while (from.position() < end) {
            from.limit(Math.min(end, from.position() + MAX_WRITE));
            bound.begin(limit);
            try {
                channel.write(from);
            } catch (IOException e) {
                throw failure("writing to", e);
            } finally {
                bound.end();
            }
        }
    }

    /**
     * Fills a buffer.
     *
     * @param to a direct buffer, from its position to its limit
     * @throws TransportException {@code TIMED_OUT} when the peer sends nothing for too long, {@code ENDED} when the
     *     stream ends before the buffer is full, {@code FAILED} for any other failure
     */
    public void read(ByteBuffer to) throws TransportException {
        while (to.hasRemaining()) {
            if (readSome(to) < 0) {
                throw new TransportException(Problem.ENDED, peer + ": the stream ends before its end was sent", null);
            }
        }
    }

    /**
     * Makes sure that nothing more comes.
     *
     * @param scratch a direct buffer with room for at least one byte
     * @return whether the stream has ended
     * @throws TransportException as {@link #read}
     */
    public boolean atEnd(ByteBuffer scratch) throws TransportException {
        return readSome(scratch) < 0;
    }

    private int readSome(ByteBuffer to) throws TransportException {
        bound.begin(limit);
        try {
            return channel.read(to);
        } catch (IOException e) {
            throw failure("reading from", e);
        } finally {
            bound.end();
        }
    }

    private TransportException failure(String what, IOException e) {
        if (bound.overdue()) {
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

    /** Ends a read that blocks, and every later one, as if the peer had closed; writing goes on. Any thread. */
    public void stopReading() {
        try {
            if (channel instanceof SocketChannel socket) {
                socket.shutdownInput();
            } else {
                close();
            }
        } catch (IOException e) {
            // A socket whose input cannot be shut down is not connected any more.
            close();
        }
    }

    /** Closes the connection. Does nothing the second time. */
    @Override
    public void close() {
        bound.release();
        try {
            channel.close();
        } catch (IOException e) {
            // What was written has been checked by its reader's answer, or by force() for a file; nothing is lost here.
            bound.end();
        }
    }
}
