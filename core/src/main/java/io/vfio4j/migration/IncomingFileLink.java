// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameDecoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.IncomingFile;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A migration from a file, which has been committed when it was written. */
final class IncomingFileLink implements IncomingLink {
    private final LibC libc;
    private final Execution execution;
    private final IncomingFile file;
    private final FrameChannel control;
    private @Nullable FrameChannel data;
    private List<@Nullable PlacedPages> placed = List.of();

    IncomingFileLink(LibC libc, TransportAddress.File address, Execution execution, Transport transport)
            throws IOException {
        this.libc = libc;
        this.execution = execution;
        this.file = transport.openFile(address);
        this.control = new FrameChannel(libc, execution, file.connection(), Frame.CONTROL_STREAM);
    }

    @Override
    public Message.Hello awaitHello() throws IOException {
        return Message.Hello.readFrom(control.expect(FrameKind.HELLO));
    }

    @Override
    public void refuse(String reason) {}

    @Override
    public void accept(Message.Hello hello, Message.Accept accept, List<List<StateHandler.PageRange>> pages, Echo echo)
            throws IOException {
        FileLayout layout = FileLayout.of(file.position(), pages);
        if (layout != null) {
            Message.Places there = Message.Places.readFrom(control.expect(FrameKind.PLACES));
            if (!there.equals(layout.message())) {
                throw new StreamException(
                        StreamException.Problem.UNEXPECTED,
                        control.peer() + ": its pages lie elsewhere than its offers say: " + there + " instead of "
                                + layout.message());
            }
            file.position(there.framesAt());
            placed = new ArrayList<>();
            for (PagePlaces each : layout.places()) {
                placed.add(each == null ? null : new PlacedPages(each, file));
            }
        }
        data = new FrameChannel(
                libc,
                file.connection(),
                new FrameDecoder(OutgoingPeerLink.FIRST_STREAM, hello.offers().size()),
                execution.newLock(),
                placed);
    }

    @Override
    public List<FrameChannel> data() {
        return List.of(Objects.requireNonNull(data));
    }

    @Override
    public @Nullable PlacedPages placed(int stream) {
        return placed.isEmpty() ? null : placed.get(stream - OutgoingPeerLink.FIRST_STREAM);
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
