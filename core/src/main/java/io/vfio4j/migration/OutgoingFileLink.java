// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameDecoder;
import io.vfio4j.stream.FrameEncoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.OutgoingFile;
import io.vfio4j.transport.PlacedOutput;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Lock;
import org.jspecify.annotations.Nullable;

/**
 * A migration to a file: HELLO, the pages that have places there, then the frames of all handlers as they come, each
 * handler's ended by its END. Loaded means on disk, committed means under its final name: who finds it there may load
 * it.
 */
final class OutgoingFileLink implements OutgoingLink {
    private final LibC libc;
    private final OutgoingFile file;
    private final Lock writing;
    private final FrameChannel control;
    private final List<FrameChannel> data = new ArrayList<>();

    OutgoingFileLink(LibC libc, TransportAddress.File address, Execution execution, Transport transport)
            throws IOException {
        this.libc = libc;
        this.writing = execution.newLock();
        this.file = transport.createFile(address);
        this.control = channel(Frame.CONTROL_STREAM, null);
    }

    private FrameChannel channel(int stream, @Nullable SavedPages pages) {
        return new FrameChannel(
                libc, file.connection(), new FrameEncoder(stream), new FrameDecoder(stream), writing, pages);
    }

    @Override
    public Negotiated negotiate(Message.Hello hello, List<List<StateHandler.PageRange>> pages) throws IOException {
        control.send(FrameKind.HELLO, hello);
        FileLayout layout = FileLayout.of(FileLayout.behind(hello), pages);
        PlacedOutput output = null;
        if (layout != null) {
            control.send(FrameKind.PLACES, layout.message());
            output = file.places(layout.message().framesAt());
        }
        for (int i = 0; i < hello.offers().size(); i++) {
            PagePlaces places = layout == null ? null : layout.places().get(i);
            data.add(channel(
                    OutgoingPeerLink.FIRST_STREAM + i,
                    places == null || output == null ? null : new SavedPages(places, output, hello.chunkBytes())));
        }
        return new Negotiated(0, 0, 0);
    }

    @Override
    public FrameChannel data(int stream) {
        return data.get(stream - OutgoingPeerLink.FIRST_STREAM);
    }

    @Override
    public boolean givesAcks() {
        return false;
    }

    @Override
    public int acks(int stream) {
        return 0;
    }

    @Override
    public boolean hasEnded() {
        return false;
    }

    /** To disk, while the device runs: the page cache takes faster than a disk does, and all of it at once is long. */
    @Override
    public void settle() throws IOException {
        file.force();
    }

    @Override
    public void awaitLoaded() throws IOException {
        file.force();
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
    public boolean carriesOn() {
        return false;
    }

    @Override
    public void announceLater() {}

    @Override
    public List<Message.Missing> awaitComplete() {
        return List.of();
    }

    @Override
    public void abort(String reason) {
        file.discard();
    }

    @Override
    public @Nullable MigrationException reasonOfPeer() {
        return null;
    }

    @Override
    public void closeData() {}

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
        data.forEach(FrameChannel::free);
    }
}
