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
     * Leaves a part of the file, behind what was written so far, to be written by places. Called once at the most,
     * while nobody writes.
     *
     * @param resumeAt where the part ends, a multiple of {@link PlacedOutput#ALIGNMENT}: what goes through the
     *     connection from now on goes behind it
     * @return what writes there; closed with this file
     * @throws TransportException {@code FAILED} when the file cannot be opened a second time
     */
    PlacedOutput places(long resumeAt) throws TransportException;

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
