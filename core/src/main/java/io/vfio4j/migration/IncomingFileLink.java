// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameDecoder;
import io.vfio4j.stream.FrameEncoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A migration from a file, which has been committed when it was written. */
final class IncomingFileLink implements IncomingLink {
    private final LibC libc;
    private final Execution execution;
    private final Connection file;
    private final FrameChannel control;
    private @Nullable FrameChannel data;

    IncomingFileLink(LibC libc, TransportAddress.File address, Execution execution, Transport transport)
            throws IOException {
        this.libc = libc;
        this.execution = execution;
        this.file = transport.openFile(address);
        this.control = new FrameChannel(libc, execution, file, Frame.CONTROL_STREAM);
    }

    @Override
    public Message.Hello awaitHello() throws IOException {
        return Message.Hello.readFrom(control.expect(FrameKind.HELLO));
    }

    @Override
    public void refuse(String reason) {}

    @Override
    public void accept(Message.Hello hello, Message.Accept accept) {
        data = new FrameChannel(
                libc,
                file,
                new FrameEncoder(OutgoingPeerLink.FIRST_STREAM),
                new FrameDecoder(OutgoingPeerLink.FIRST_STREAM, hello.offers().size()),
                execution.newLock());
    }

    @Override
    public List<FrameChannel> data() {
        return List.of(Objects.requireNonNull(data));
    }

    @Override
    public void acknowledge(Message.Ack ack) {}

    @Override
    public void loaded(long nanos) throws IOException {
        Objects.requireNonNull(data).requireEndOfStream();
    }

    @Override
    public void awaitCommit() {}

    @Override
    public void running(long nanos) {}

    @Override
    public boolean carriesOn() {
        return false;
    }

    @Override
    public void complete(Message.Complete complete) {}

    @Override
    public void abort(String reason) {}

    @Override
    public @Nullable MigrationException reasonOfPeer() {
        return null;
    }

    @Override
    public void closeData() {}

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
        if (data != null) {
            data.free();
        }
    }
}
