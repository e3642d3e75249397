// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.time.Duration;

/**
 * Where a migration's connections and files come from; every wait for a peer has a bound.
 *
 * <p>Any thread. Closed by whoever made it, after all that came from it.
 */
public interface Transport extends AutoCloseable {

    /**
     * Connects to a peer that listens, or takes the next of given connections.
     *
     * @param address the peer
     * @param limit how long connecting, and later each call, may wait for the peer
     * @return the connection, which the caller closes
     * @throws TransportException {@code UNREACHABLE} where nobody listens there or the name is unknown, where one of
     *     the given connections cannot be used, and where none of them is left
     */
    Connection connect(TransportAddress.Peer address, Duration limit) throws TransportException;

    /**
     * Begins to listen, or takes given connections.
     *
     * @param address where; TCP port 0 lets the kernel choose
     * @return the listener, which the caller closes
     * @throws TransportException {@code UNREACHABLE} where the address is in use or not of this host, and where one of
     *     the given connections cannot be used
     */
    Listener listen(TransportAddress.Peer address) throws TransportException;

    /**
     * Opens a file to read a saved state from. A disk is waited for as long as it takes: nothing can end a call on it.
     *
     * @param address the file
     * @return the file, which the caller closes
     * @throws TransportException {@code UNREACHABLE} where it is no readable file
     */
    IncomingFile openFile(TransportAddress.File address) throws TransportException;

    /**
     * Makes a file to write a state to. A disk is waited for as long as it takes: nothing can end a call on it.
     *
     * @param address its final place
     * @return the file, which the caller closes
     * @throws TransportException {@code UNREACHABLE} where it exists already or its folder cannot be written to
     */
    OutgoingFile createFile(TransportAddress.File address) throws TransportException;

    /** Ends what bounds the waits. */
    @Override
    void close();
}
