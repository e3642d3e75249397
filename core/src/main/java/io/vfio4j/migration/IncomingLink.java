// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where an incoming migration comes from: a peer or a file, and what each step of the handover means there.
 *
 * <p>The migration's thread calls the steps in the order of their declaration; any thread may call {@link #interrupt}
 * and {@link #close}.
 */
sealed interface IncomingLink extends AutoCloseable permits IncomingPeerLink, IncomingFileLink {
    /** What comes before an answer in the handover, without its work: to wake up all threads. */
    interface Echo {
        /** Does it. */
        void prepare() throws IOException;
    }

    static IncomingLink open(
            LibC libc,
            TransportAddress from,
            MigrationParameters parameters,
            Execution execution,
            Transport transport,
            MigrationListener listener)
            throws IOException {
        return switch (from) {
            case TransportAddress.Peer peer ->
                new IncomingPeerLink(libc, peer, parameters, execution, transport, listener);
            case TransportAddress.File file -> new IncomingFileLink(libc, file, execution, transport);
        };
    }

    /** Waits for a source and its offer. */
    Message.Hello awaitHello() throws IOException;

    /** Declines the offer. */
    void refuse(String reason);

    /**
     * Takes the offer, and waits for the data connections.
     *
     * @param pages for each offer, which pages have places of their own where this is a file
     * @param echo what is done before each of the answers that the source measures the round trip by
     */
    void accept(Message.Hello hello, Message.Accept accept, List<List<StateHandler.PageRange>> pages, Echo echo)
            throws IOException;

    /** What the state comes through: one channel for each handler in the order of HELLO, or one for all. */
    List<FrameChannel> data();

    /** When all frames have come: a handler's pages that lie in places of their own; null where it has none. */
    @Nullable
    PlacedPages placed(int stream);

    /** Says that a handler is ready for the switchover. Any thread. */
    void acknowledge(Message.Ack ack) throws IOException;

    /** Says that all was loaded and found good. */
    void loaded(long nanos) throws IOException;

    /** Waits until the source has given the device up. Until this returns, the device must not run here. */
    void awaitCommit() throws IOException;

    /** Says that the device runs here. */
    void running(long nanos) throws IOException;

    /** Tells whether state can still come when all runs here; else it has come before END. */
    boolean carriesOn();

    /** Says that all is here that could wait, or what of it is not. */
    void complete(Message.Complete complete) throws IOException;

    /** Tells the source that this side cannot go on. Best effort. */
    void abort(String reason);

    /** After a failure: what the source said about it, if it did. */
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
}
