// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.Transports;
import io.vfio4j.transport.Watchdog;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A migration from a file, which has been committed when it was written. */
final class IncomingFileLink implements IncomingLink {
    private final FrameChannel control;
    private final FrameChannel data;

    IncomingFileLink(LibC libc, TransportAddress.File address, MigrationParameters parameters, Watchdog watchdog)
            throws IOException {
        Connection file = Transports.openFile(address, parameters.peerLimit(), watchdog);
        this.control = new FrameChannel(libc, file, Frame.CONTROL_STREAM);
        this.data = new FrameChannel(libc, file, OutgoingPeerLink.FIRST_DEVICE_STREAM);
    }

    @Override
    public Message.Hello awaitHello() throws IOException {
        return Message.Hello.readFrom(control.expect(FrameKind.HELLO));
    }

    @Override
    public void refuse(String reason) {}

    @Override
    public FrameChannel accept(Message.Hello hello, Message.Accept accept) {
        return data;
    }

    @Override
    public void loaded(long nanos) throws IOException {
        data.requireEndOfStream();
    }

    @Override
    public void awaitCommit() {}

    @Override
    public void running(long nanos) {}

    @Override
    public void abort(String reason) {}

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
        control.close();
    }

    @Override
    public void free() {
        control.free();
        data.free();
    }
}
