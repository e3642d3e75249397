// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.OutgoingFile;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.Watchdog;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A migration to a file: HELLO, the state, END. Loaded means on disk, committed means under its final name: who finds
 * it there may load it.
 */
final class OutgoingFileLink implements OutgoingLink {
    private final OutgoingFile file;
    private final FrameChannel control;
    private final FrameChannel data;

    OutgoingFileLink(LibC libc, TransportAddress.File address, MigrationParameters parameters, Watchdog watchdog)
            throws IOException {
        this.file = OutgoingFile.create(address, parameters.peerLimit(), watchdog);
        this.control = new FrameChannel(libc, file.connection(), Frame.CONTROL_STREAM);
        this.data = new FrameChannel(libc, file.connection(), OutgoingPeerLink.FIRST_DEVICE_STREAM);
    }

    @Override
    public Negotiated negotiate(Message.Hello hello) throws IOException {
        control.send(FrameKind.HELLO, hello);
        return new Negotiated(0, 0);
    }

    @Override
    public FrameChannel data() {
        return data;
    }

    /** To disk, while the device runs: the page cache takes faster than a disk does, and all of it at once is long. */
    @Override
    public void settle() throws IOException {
        file.force();
    }

    @Override
    public long awaitLoaded() throws IOException {
        long begin = System.nanoTime();
        file.force();
        return System.nanoTime() - begin;
    }

    @Override
    public void commit() throws IOException {
        file.commit();
    }

    @Override
    public boolean mayBeCommitted() {
        return file.isCommitted();
    }

    @Override
    public void awaitRunning() {}

    @Override
    public void abort(String reason) {
        file.discard();
    }

    @Override
    public @Nullable MigrationException reasonOfPeer() {
        return null;
    }

    /** Closing a file waits for the call that blocks on it, so that thread is left to find out by itself. */
    @Override
    public void interrupt() {}

    @Override
    public void close() {
        file.connection().close();
    }

    @Override
    public void free() {
        file.close();
        control.free();
        data.free();
    }
}
