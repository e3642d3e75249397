// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where an outgoing migration goes to: a peer or a file, and what each step of the handover means there.
 *
 * <p>The migration's thread calls the steps in the order of their declaration; any thread may call {@link #interrupt}
 * and {@link #close}.
 */
sealed interface OutgoingLink extends AutoCloseable permits OutgoingPeerLink, OutgoingFileLink {

    static OutgoingLink open(
            LibC libc, TransportAddress to, MigrationParameters parameters, Execution execution, Transport transport)
            throws IOException {
        return switch (to) {
            case TransportAddress.Peer peer -> new OutgoingPeerLink(libc, peer, parameters, execution, transport);
            case TransportAddress.File file -> new OutgoingFileLink(libc, file, execution, transport);
        };
    }

    /**
     * Offers the migration and opens the data connections.
     *
     * @param pages for each offer, which pages have places of their own where this is a file
     */
    Negotiated negotiate(Message.Hello hello, List<List<StateHandler.PageRange>> pages) throws IOException;

    /** What a handler's state goes through, from 1 on. */
    FrameChannel data(int stream);

    /** Tells whether the other side can acknowledge anything. */
    boolean givesAcks();

    /** How many acknowledgements have come for a handler. Any thread. */
    int acks(int stream);

    /** Tells whether the other side has given up, or its connection ended, since the state began to go. Any thread. */
    boolean hasEnded();

    /**
     * Waits until what went through {@link #data} is where it has to be, as far as that is in this side's hands. Any
     * thread.
     */
    void settle() throws IOException;

    /** After END on all: waits until the other side has all and found it good. */
    void awaitLoaded() throws IOException;

    /** Gives the device up. */
    void commit() throws IOException;

    /** After a {@link #commit} that failed: whether the other side may have the device all the same. */
    boolean mayBeCommitted();

    /** Waits until the device runs at the other side. */
    void awaitRunning() throws IOException;

    /** Tells whether state can still go when the destination runs; else it goes before END. */
    boolean carriesOn();

    /** Any thread: at least one handler will send something when the destination runs. */
    void announceLater();

    /** Waits until the destination has all that could wait, or says what of it is missing. */
    List<Message.Missing> awaitComplete() throws IOException;

    /** Before {@link #commit}: tells the other side that there will be none. Best effort. */
    void abort(String reason);

    /** After a failure: what the other side said about it, if it did. */
    @Nullable
    MigrationException reasonOfPeer();

    /** Ends every call that blocks on the data connections, so that a failure of one handler ends the others. */
    void closeData();

    /** Ends every call that blocks on the connections, but leaves the way to tell the other side why. Any thread. */
    void interrupt();

    /** Closes the connections, which ends every call that blocks on them. Any thread. */
    @Override
    void close();

    /** Closes, and gives all memory back. Called when no other thread uses this link any more. */
    void free();

    /**
     * What the first exchange has shown.
     *
     * @param roundTripNanos how long a message and its answer travel
     * @param loadNanos how long the destination's check of the state takes in the downtime
     * @param resumeNanos how long its way to RUNNING takes
     */
    record Negotiated(long roundTripNanos, long loadNanos, long resumeNanos) {}
}
