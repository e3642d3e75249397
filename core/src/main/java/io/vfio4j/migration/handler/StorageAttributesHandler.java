// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A value for each page of a guest in a migration: all of them once, then those that have changed. QEMU's
 * {@code s390-storage_attributes}.
 *
 * <p>The destination keeps what comes beside its guest, a byte a page, and sets it when all has come, before it says
 * that it has loaded it: a guest never has half of them. The attributes stay the caller's. One migration at a time.
 */
public final class StorageAttributesHandler implements StateHandler {
    private static final String KIND = "storage-attributes";
    private static final int VERSION = 1;
    private static final String PAGES = "pages";

    /** Before the values: the first one's page. */
    private static final int HEADER_BYTES = Long.BYTES;

    /** So many values are kept in one array and set in one call: no more than KVM takes. */
    private static final int BLOCK = 1 << 20;

    private final String name;
    private final StorageAttributes attributes;
    private long cursor;
    private ByteBuffer[] loaded = {};
    private BitSet[] came = {};

    /**
     * Makes a handler.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param attributes the values, which stay the caller's
     */
    public StorageAttributesHandler(String name, StorageAttributes attributes) {
        this.name = name;
        this.attributes = attributes;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return new Description(KIND, VERSION, Map.of(PAGES, Long.toString(attributes.pages())));
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        String there = source.attributes().getOrDefault(PAGES, "0");
        return there.equals(Long.toString(attributes.pages()))
                ? null
                : "the source's guest has " + there + " pages, this one " + attributes.pages();
    }

    @Override
    public void saveSetup() throws IOException {
        attributes.start();
        cursor = 0;
    }

    @Override
    public boolean iterates() {
        return true;
    }

    /** Values that have not changed go with those around them, so that there are fewer pieces. */
    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) throws IOException {
        long changed = precision == Precision.ESTIMATE ? attributes.changed() : attributes.countChanged();
        long most = attributes.pages();
        pending.preCopyBytes(Math.min(changed * (1 + StorageAttributes.MOST_BETWEEN), most)
                + HEADER_BYTES * Math.min(changed, most / StorageAttributes.MOST_BETWEEN + 1));
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        PooledBuffer piece = out.acquire();
        boolean filled = false;
        try {
            filled = fill(piece);
        } finally {
            if (!filled) {
                out.giveBack(piece);
            }
        }
        if (filled) {
            out.send(piece);
        }
        return filled;
    }

    /** The virtual machine is stopped: nothing changes any more. */
    @Override
    public void complete(StateOutput out) throws IOException {
        boolean more = true;
        while (more) {
            more = iterate(out);
        }
    }

    private boolean fill(PooledBuffer piece) throws IOException {
        int values = PooledBuffer.HEAD_ROOM + HEADER_BYTES;
        int room = Math.min(piece.capacity() - HEADER_BYTES, BLOCK);
        StorageAttributes.Run run = attributes.next(cursor, piece.view(values, values + room));
        if (run == null) {
            return false;
        }
        piece.view(PooledBuffer.HEAD_ROOM, values).putLong(run.firstPage());
        piece.length(HEADER_BYTES + run.count());
        cursor = run.firstPage() + run.count();
        if (cursor >= attributes.pages()) {
            cursor = 0;
        }
        return true;
    }

    @Override
    public void loadSetup() {
        int blocks = Math.toIntExact((attributes.pages() + BLOCK - 1) / BLOCK);
        loaded = new ByteBuffer[blocks];
        came = new BitSet[blocks];
        for (int i = 0; i < blocks; i++) {
            loaded[i] = ByteBuffer.allocateDirect((int) Math.min(BLOCK, attributes.pages() - (long) i * BLOCK));
            came[i] = new BitSet(loaded[i].capacity());
        }
    }

    /** A peer is not trusted: there are values for this guest's pages only. */
    @Override
    public void load(PooledBuffer chunk) throws IOException {
        int count = chunk.length() - HEADER_BYTES;
        ByteBuffer view = chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + chunk.length());
        long page = count <= 0 ? -1 : view.getLong();
        if (page < 0 || page > attributes.pages() - count) {
            throw new IOException("a piece of " + chunk.length()
                    + " bytes that are no storage attributes of a guest of " + attributes.pages() + " pages");
        }
        while (view.hasRemaining()) {
            ByteBuffer block = loaded[(int) (page / BLOCK)];
            int at = (int) (page % BLOCK);
            int part = Math.min(view.remaining(), block.capacity() - at);
            block.put(at, view, view.position(), part);
            came[(int) (page / BLOCK)].set(at, at + part);
            view.position(view.position() + part);
            page += part;
        }
    }

    /** Pages that no value has come for may be holes in the guest's memory. */
    @Override
    public void loadFinish() throws IOException {
        for (int i = 0; i < loaded.length; i++) {
            int from = came[i].nextSetBit(0);
            while (from >= 0) {
                int end = came[i].nextClearBit(from);
                attributes.set(
                        (long) i * BLOCK + from, loaded[i].clear().limit(end).position(from));
                from = came[i].nextSetBit(end);
            }
        }
    }

    @Override
    public void discard() {
        forget();
    }

    private void forget() {
        loaded = new ByteBuffer[0];
        came = new BitSet[0];
    }

    /** What cannot be ended is the kernel's to end, when the VM is closed. */
    @Override
    public void cleanup() {
        forget();
        try {
            attributes.stop();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
