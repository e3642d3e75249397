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
 * A migration to a file: HELLO, the state, END. Loaded means on disk and under its final name; a file takes part in no
 * handover beyond that, so nothing about it can be in doubt.
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

    @Override
    public long awaitLoaded() throws IOException {
        long begin = System.nanoTime();
        file.force();
        file.commit();
        return System.nanoTime() - begin;
    }

    @Override
    public void commit() {}

    @Override
    public void awaitRunning() {}

    @Override
    public void abort(String reason) {
        // Even where it has its name already: the device goes on here, and must not be loaded elsewhere too.
        file.discard();
    }

    @Override
    public @Nullable MigrationException reasonOfPeer() {
        return null;
    }

    @Override
    public void interrupt() {
        close();
    }

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
