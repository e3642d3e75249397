// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.nio.ByteBuffer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a peer, or an open file: bytes in order, each wait for a peer with a bound.
 *
 * <p>One thread reads and one writes. Any thread may close it, which ends a call that blocks. Owned by whoever opened
 * or accepted it. Buffers must be direct; nothing is allocated per call.
 */
public interface Connection extends AutoCloseable {

    /**
     * Returns who or what is at the other end.
     *
     * @return such as {@code tcp:192.0.2.1:4444}
     */
    String peer();

    /**
     * Sets how long one call may wait: a read for the first byte, a write until the peer has taken 2 MiB or what is
     * left.
     *
     * @param wait the limit, &gt; 0
     */
    void limit(Duration wait);

    /**
     * Sets how long all calls from now on may take together, beside the limit of each: a peer that sends a byte now and
     * then is not silent, yet may not go on for ever.
     *
     * @param total the limit, &gt; 0; null takes it away
     */
    void within(@Nullable Duration total);

    /**
     * Lets reads wait for as long as it takes, for a peer that may rightly have nothing to say. Whoever sets this
     * notices a dead peer by other means.
     *
     * @param wait whether reads wait without a limit
     */
    void readsWait(boolean wait);

    /**
     * Writes all of a buffer.
     *
     * @param from a direct buffer, from its position to its limit
     * @throws TransportException {@code TIMED_OUT} when the peer takes nothing for too long, {@code ENDED} when it has
     *     closed, {@code FAILED} for any other failure
     */
    void write(ByteBuffer from) throws TransportException;

    /**
     * Writes all of a buffer, from whose memory it may still be sent when this returns: it stays as it is until
     * {@link #isWritten}. A connection that copies is done when this returns.
     *
     * @param from a direct buffer, from its position to its limit
     * @return what to ask by, never less than the one before
     * @throws TransportException as {@link #write(ByteBuffer)}
     */
    default long writeInPlace(ByteBuffer from) throws TransportException {
        write(from);
        return 0;
    }

    /**
     * Tells whether a buffer's memory is free again. The thread that writes; does not wait.
     *
     * @param write what {@link #writeInPlace} returned
     * @return whether it is
     * @throws TransportException as {@link #write(ByteBuffer)}
     */
    default boolean isWritten(long write) throws TransportException {
        return true;
    }

    /**
     * Waits until a buffer's memory is free again. The thread that writes.
     *
     * @param write what {@link #writeInPlace} returned
     * @throws TransportException as {@link #write(ByteBuffer)}
     */
    default void awaitWritten(long write) throws TransportException {}

    /**
     * Writes all of several buffers, one after the other, in as few calls as the kernel allows.
     *
     * @param from direct buffers, each from its position to its limit
     * @throws TransportException as {@link #write(ByteBuffer)}
     */
    default void write(ByteBuffer[] from) throws TransportException {
        for (ByteBuffer each : from) {
            if (each.hasRemaining()) {
                write(each);
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
    void read(ByteBuffer to) throws TransportException;

    /**
     * Fills several buffers, one after the other, in as few calls as the kernel allows.
     *
     * @param to direct buffers, each from its position to its limit
     * @throws TransportException as {@link #read(ByteBuffer)}
     */
    default void read(ByteBuffer[] to) throws TransportException {
        for (ByteBuffer each : to) {
            read(each);
        }
    }

    /**
     * Makes sure that nothing more comes.
     *
     * @param scratch a direct buffer with room for at least one byte
     * @return whether the stream has ended
     * @throws TransportException as {@link #read}
     */
    boolean atEnd(ByteBuffer scratch) throws TransportException;

    /** Ends a read that blocks, and every later one, as if the peer had closed; writing goes on. Any thread. */
    void stopReading();

    /** Closes the connection. Does nothing the second time. */
    @Override
    void close();
}
