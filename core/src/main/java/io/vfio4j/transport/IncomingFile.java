// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.nio.ByteBuffer;

/** A file that a state is read from: front to back as a connection, and at given places. */
public interface IncomingFile extends AutoCloseable {

    /**
     * Returns the file as a connection.
     *
     * @return the connection; closed with this file, and this file with it
     */
    Connection connection();

    /**
     * Returns where the connection reads next. The thread that reads from it.
     *
     * @return bytes from the file's beginning
     * @throws TransportException {@code ENDED} when the file was closed
     */
    long position() throws TransportException;

    /**
     * Lets the connection read on elsewhere. The thread that reads from it.
     *
     * @param position bytes from the file's beginning; behind its end there is nothing to read
     * @throws TransportException {@code ENDED} when the file was closed
     */
    void position(long position) throws TransportException;

    /**
     * Fills a buffer from a place of the file. Any thread, several beside each other, and beside one that uses the
     * connection.
     *
     * @param to a direct buffer, from its position to its limit
     * @param position where, in bytes from the file's beginning
     * @throws TransportException {@code ENDED} when the file ends before the buffer is full or was closed,
     *     {@code FAILED} for any other failure
     */
    void read(ByteBuffer to, long position) throws TransportException;

    /** Closes the file. Does nothing the second time. */
    @Override
    void close();
}
