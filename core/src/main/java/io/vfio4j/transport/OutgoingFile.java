// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

/**
 * A file being written: it has its final name only when it is whole and on disk.
 *
 * <p>Closing it before its {@link #commit} removes it. One thread at a time.
 */
public interface OutgoingFile extends AutoCloseable {

    /**
     * Returns the file as a connection.
     *
     * @return the connection; closed with this file
     */
    Connection connection();

    /**
     * Brings all that was written to disk.
     *
     * @throws TransportException {@code FAILED} such as for a full disk
     */
    void force() throws TransportException;

    /**
     * Gives the file its final name.
     *
     * @throws TransportException {@code UNREACHABLE} when another file has that name by now
     */
    void commit() throws TransportException;

    /**
     * Tells whether the file has its final name, so that somebody may use it.
     *
     * @return true from {@link #commit} on, also where that failed after the name was given
     */
    boolean isCommitted();

    /** Closes the file and removes it, be it committed or not: what it holds is not to be used. */
    void discard();

    /** Closes the file, and removes it unless it was committed. Does nothing the second time. */
    @Override
    void close();
}
