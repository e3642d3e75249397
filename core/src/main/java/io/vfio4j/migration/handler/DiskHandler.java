// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A disk in a migration: all of it once, then what the guest has written since, until the rest fits into the downtime.
 * It is what QEMU calls block mirroring, or once called block migration.
 *
 * <p>The monitor calls {@link #markDirty} after each write that has reached the disk, before it tells the guest so, and
 * from any thread. Holes, and blocks of zeros, go as a few bytes and become holes at the destination.
 *
 * <p>What the destination's disk holds is replaced from the first piece on: when the migration fails, its contents are
 * undefined, and only the source's are whole. All that was loaded is on disk before the destination says that it has
 * loaded it; most of it before the switchover. The image stays the caller's. One migration at a time.
 */
public final class DiskHandler implements StateHandler {
    /** What a bit of the log of writes stands for, unless said otherwise: 64 KiB, as in QEMU. */
    public static final int GRANULARITY = 64 << 10;

    private static final String KIND = "disk";
    private static final int VERSION = 1;
    private static final String LENGTH = "length";
    private static final String BLOCK_SIZE = "blockSize";

    /** Behind the data of each piece: where they belong, and how many bytes it stands for; without data, zeros. */
    private static final int TRAILER_BYTES = 2 * Long.BYTES;

    /**
     * The source is kept to the disk's speed, not the page cache's: what that has taken would have to be written at the
     * end, for longer than a peer may be silent.
     */
    private static final long FLUSH_BYTES = 64 << 20;

    /**
     * What a piece without data stands for at most: the destination may have to write it, in one call that gives no
     * sign of life. A power of two, and a multiple of any sector's size.
     */
    private static final long MOST_ZEROS = 64 << 20;

    private final String name;
    private final DiskImage image;
    private final long length;
    private final int sector;
    private final BlockBitmap dirty;
    private volatile boolean tracking;
    private long cursor;
    private long runAt;
    private long runEnd;
    private long unflushed;

    /**
     * Makes a handler for a disk.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param image the disk, which stays the caller's; its length does not change as long as this is in use
     * @throws IOException when its length cannot be told
     * @throws IllegalArgumentException for a disk that is empty or too long for the granularity, and for a sector that
     *     is no power of two, or longer than 64 MiB
     */
    public DiskHandler(String name, DiskImage image) throws IOException {
        this(name, image, GRANULARITY);
    }

    /**
     * Makes a handler for a disk, with a log of writes that is as fine as need be.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param image the disk, which stays the caller's; its length does not change as long as this is in use
     * @param granularity what a bit of the log stands for, in bytes, a power of two; a sector if that is more
     * @throws IOException when its length cannot be told
     * @throws IllegalArgumentException for a disk that is empty or too long for the granularity, and for a sector that
     *     is no power of two, or longer than 64 MiB
     */
    public DiskHandler(String name, DiskImage image, int granularity) throws IOException {
        this.name = name;
        this.image = image;
        this.length = image.length();
        this.sector = image.blockSize();
        if (Integer.bitCount(sector) != 1 || sector < 0 || sector > MOST_ZEROS) {
            throw new IllegalArgumentException("a disk with sectors of " + sector + " bytes");
        }
        this.dirty = new BlockBitmap(length, Math.max(granularity, sector));
    }

    /**
     * Notes a write, while a migration goes on; else it does nothing. Any thread, without a lock.
     *
     * @param offset the first byte written
     * @param count how many bytes
     * @throws IndexOutOfBoundsException beyond the disk's end
     */
    public void markDirty(long offset, long count) {
        if (tracking) {
            dirty.mark(offset, count);
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return new Description(
                KIND, VERSION, Map.of(LENGTH, Long.toString(length), BLOCK_SIZE, Integer.toString(sector)));
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        String theirs = source.attributes().getOrDefault(LENGTH, "0");
        if (!theirs.equals(Long.toString(length))) {
            return "the source's disk has " + theirs + " bytes, this one " + length;
        }
        String theirSector = source.attributes().getOrDefault(BLOCK_SIZE, "0");
        if (!theirSector.equals(Integer.toString(sector))) {
            return "the source's disk has sectors of " + theirSector + " bytes, this one of " + sector;
        }
        return image.isReadOnly() ? "this disk is read-only" : null;
    }

    @Override
    public void prepare() throws IOException {
        requireLength();
    }

    private void requireLength() throws IOException {
        long now = image.length();
        if (now != length) {
            throw new IOException("the disk has changed from " + length + " to " + now + " bytes");
        }
    }

    @Override
    public void saveSetup() {
        tracking = true;
        dirty.markAll();
        cursor = 0;
        runAt = 0;
        runEnd = 0;
    }

    @Override
    public boolean iterates() {
        return true;
    }

    /** The destination brings to disk what it has by then; that takes too long for the downtime. */
    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) throws IOException {
        if (precision != Precision.ESTIMATE) {
            requireLength();
        }
        pending.preCopyBytes(dirty.markedBlocks() * pieces(dirty.granularity()) + pieces(runEnd - runAt))
                .acksWanted(1);
    }

    /** What a block, or the rest of a run, may take; no piece has less than half a page. */
    private static long pieces(long bytes) {
        return bytes == 0 ? 0 : bytes + (bytes / 2048 + 1) * TRAILER_BYTES;
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        if (runAt == runEnd && !takeRun()) {
            return false;
        }
        PooledBuffer piece = out.acquire();
        boolean sent = false;
        try {
            fill(piece);
            sent = true;
        } finally {
            if (!sent) {
                out.giveBack(piece);
            }
        }
        out.send(piece);
        return true;
    }

    /** The virtual machine is stopped: nothing is written any more. */
    @Override
    public void complete(StateOutput out) throws IOException {
        boolean more = true;
        while (more) {
            more = iterate(out);
        }
    }

    /**
     * Takes the next blocks that were written. Their marks go before they are read: what is written then goes again.
     */
    private boolean takeRun() {
        long from = dirty.nextMarked(cursor);
        if (from == dirty.blocks()) {
            from = dirty.nextMarked(0);
        }
        if (from == dirty.blocks()) {
            return false;
        }
        long end = dirty.nextUnmarked(from);
        dirty.unmark(from, end);
        cursor = end;
        runAt = from * dirty.granularity();
        runEnd = Math.min(length, end * dirty.granularity());
        return true;
    }

    private void fill(PooledBuffer piece) throws IOException {
        long data = image.nextData(runAt);
        int count = 0;
        long stands = Math.min(MOST_ZEROS, data >= runEnd ? runEnd - runAt : wholeSectors(data - runAt));
        if (stands == 0) {
            // A hole that has been made since where the data were is read as what it is.
            long hole = image.nextHole(runAt);
            long end = hole > runAt ? Math.min(runEnd, runAt + wholeSectors(hole - runAt + sector - 1)) : runEnd;
            count = (int) Math.min(end - runAt, mostData(piece));
            stands = count;
            read(piece, count);
            if (isZero(piece, count)) {
                count = 0;
            }
        }
        int trailer = PooledBuffer.HEAD_ROOM + count;
        piece.view(trailer, trailer + TRAILER_BYTES).putLong(runAt).putLong(stands);
        piece.length(count + TRAILER_BYTES);
        runAt += stands;
    }

    /** Block devices and {@code O_DIRECT} want every piece to begin at a sector; a run does. */
    private long wholeSectors(long bytes) {
        return bytes & -sector;
    }

    /** Whole sectors, unless there is no room for one. */
    private long mostData(PooledBuffer piece) {
        int room = piece.capacity() - TRAILER_BYTES;
        return room >= sector ? wholeSectors(room) : Integer.highestOneBit(room);
    }

    private void read(PooledBuffer piece, int count) throws IOException {
        ByteBuffer view = piece.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + count);
        while (view.hasRemaining()) {
            long at = runAt + count - view.remaining();
            if (image.read(view, at) < 0) {
                throw new IOException("the disk has shrunk from " + length + " to " + at + " bytes");
            }
        }
    }

    private static boolean isZero(PooledBuffer piece, int count) {
        MemorySegment data = piece.memory().asSlice(PooledBuffer.HEAD_ROOM, count);
        // All are equal to the one before them, and the first one is 0.
        return data.get(ValueLayout.JAVA_BYTE, 0) == 0 && data.asSlice(1).mismatch(data.asSlice(0, count - 1L)) < 0;
    }

    @Override
    public void cleanup() {
        tracking = false;
        dirty.clear();
        runAt = 0;
        runEnd = 0;
    }

    @Override
    public void loadSetup() throws IOException {
        requireLength();
        image.reserve();
        unflushed = 0;
    }

    /** A peer is not trusted: nothing is written beyond the disk's end, and not too much in one call. */
    @Override
    public void load(PooledBuffer chunk) throws IOException {
        int count = chunk.length() - TRAILER_BYTES;
        if (count < 0) {
            throw new IOException("a piece of " + chunk.length() + " bytes that says not where it belongs");
        }
        int end = PooledBuffer.HEAD_ROOM + count;
        ByteBuffer trailer = chunk.view(end, end + TRAILER_BYTES);
        long offset = trailer.getLong();
        long stands = trailer.getLong();
        boolean inside = offset >= 0 && stands > 0 && stands <= length && offset <= length - stands;
        if (!inside || (count > 0 && count != stands)) {
            throw new IOException("a piece of " + count + " bytes that stands for " + stands + " bytes at " + offset
                    + " of a disk of " + length);
        }
        if (count == 0 && stands > MOST_ZEROS) {
            throw new IOException(
                    "a piece of zeros for " + stands + " bytes at " + offset + "; " + MOST_ZEROS + " is the most");
        }
        long written = count;
        if (count == 0) {
            written = image.zero(offset, stands);
        } else {
            image.write(chunk.view(PooledBuffer.HEAD_ROOM, end), offset);
        }
        // A hole is to be on disk, too.
        unflushed += Math.max(1, written);
        if (unflushed >= FLUSH_BYTES) {
            flush();
        }
    }

    @Override
    public void initialLoaded() throws IOException {
        flush();
    }

    @Override
    public void loadFinish() throws IOException {
        flush();
        requireLength();
    }

    private void flush() throws IOException {
        if (unflushed > 0) {
            image.flush();
            unflushed = 0;
        }
    }
}
