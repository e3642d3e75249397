// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.time.Duration;

/**
 * Waits for peers to connect, or hands out those that are connected already.
 *
 * <p>One thread accepts; any thread may close it, which ends a wait. A Unix socket's file is removed on close.
 */
public interface Listener extends AutoCloseable {

    /**
     * Returns where peers can connect to.
     *
     * @return the address, with the port that the kernel chose
     */
    TransportAddress.Peer address();

    /**
     * Waits for the next peer. One that was given connected is there at once, be there anybody at its other end or not.
     *
     * @param wait how long; when it is over the listener is closed
     * @param limit how long each call on the connection may wait for the peer
     * @return the connection, which the caller closes
     * @throws TransportException {@code TIMED_OUT} when nobody came, {@code ENDED} when the listener was closed,
     *     {@code UNREACHABLE} when no given connection is left
     */
    Connection accept(Duration wait, Duration limit) throws TransportException;

    /** Stops listening. Does nothing the second time. */
    @Override
    void close();
}
