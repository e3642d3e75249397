// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The dirty bitmaps of a machine's disks in a migration, which goes without them in the downtime: QEMU's
 * {@code dirty-bitmaps} and its {@code postcopy-bitmaps}.
 *
 * <p>What bitmaps there are goes while all is stopped. The destination makes them anew, in place of its own of the same
 * names, and marks its writes in them from the first one on; what was marked at the source is added when the
 * destination runs, or before, as both sides choose. A bitmap of which not all comes is inconsistent from then on. The
 * source's are left as they are. One migration at a time.
 */
public final class DirtyBitmapsHandler implements StateHandler {
    /** When the bits go. */
    public enum When {
        /** When the destination runs: they take no downtime, and may be lost without the machine. */
        AFTER_SWITCHOVER,
        /** While all is stopped: they arrive with the machine, or neither does. */
        BEFORE_SWITCHOVER
    }

    private static final String KIND = "dirty-bitmaps";
    private static final int VERSION = 1;
    private static final String DISKS = "disks";

    private static final int BITS_COME_LATER = 1;
    private static final int PERSISTENT = 1;
    private static final int ENABLED = 2;

    /** A piece begins with the bitmap's number and the block from which its runs count. */
    private static final int HEADER_BYTES = Integer.BYTES + Long.BYTES;

    /** A gap and a length, of 7 bits a byte, for no more than {@link BlockBitmap#MOST_BLOCKS}. */
    private static final int MOST_RUN_BYTES = 2 * 5;

    private static final int LEAST_PIECE = 2048;

    private final String name;
    private final DiskBitmaps bitmaps;
    private final When when;
    private List<DiskBitmap> saving = List.of();
    private long knownBytes;
    private List<DiskBitmap> loading = List.of();
    private DiskBitmaps.@Nullable Snapshot replaced;
    private boolean tableCame;
    private boolean laterComes;

    /**
     * Makes a handler whose bits go when the destination runs.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param bitmaps the bitmaps of this side, which stay the caller's
     */
    public DirtyBitmapsHandler(String name, DiskBitmaps bitmaps) {
        this(name, bitmaps, When.AFTER_SWITCHOVER);
    }

    /**
     * Makes a handler.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param bitmaps the bitmaps of this side, which stay the caller's
     * @param when when the bits go; the source's word counts
     * @throws IllegalArgumentException when the disks' names are none, or take too much room
     */
    public DirtyBitmapsHandler(String name, DiskBitmaps bitmaps, When when) {
        this.name = name;
        this.bitmaps = bitmaps;
        this.when = when;
        description();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        Map<String, Long> disks = new TreeMap<>(bitmaps.disks());
        for (String disk : disks.keySet()) {
            if (!StateList.isName(disk)) {
                throw new IllegalArgumentException(
                        "a disk is called by 1 to 64 letters, digits, dots, dashes and underscores, not " + disk);
            }
        }
        Map<String, String> attributes = StateList.write(DISKS, Description.MAX_ATTRIBUTES, disks);
        if (attributes == null) {
            throw new IllegalArgumentException(
                    name + ": the names of its disks are too long all in all; divide them " + "among several handlers");
        }
        return new Description(KIND, VERSION, attributes);
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        Map<String, Long> there = StateList.read(DISKS, source.attributes());
        if (there == null) {
            return "the source's list of disks cannot be read";
        }
        String misfits = there.entrySet().stream()
                .map(disk -> misfit(disk.getKey(), disk.getValue()))
                .filter(text -> !text.isEmpty())
                .collect(Collectors.joining(", "));
        return misfits.isEmpty() ? null : misfits;
    }

    private String misfit(String disk, long length) {
        Long here = bitmaps.disks().get(disk);
        if (here == null) {
            return "disk " + disk + " is missing here";
        }
        return here == length ? "" : "disk " + disk + " has " + length + " bytes at the source, " + here + " here";
    }

    @Override
    public void prepare() throws IOException {
        for (DiskBitmap bitmap : bitmaps.list()) {
            if (bitmap.name().getBytes(StandardCharsets.UTF_8).length > DiskBitmap.MAX_NAME) {
                throw new IOException(
                        bitmap.disk() + ": a bitmap's name has at most " + DiskBitmap.MAX_NAME + " bytes");
            }
        }
    }

    @Override
    public void saveSetup() throws IOException {
        saving = bitmaps.list();
        for (DiskBitmap bitmap : saving) {
            if (bitmaps.isInconsistent(bitmap)) {
                throw new IOException(bitmap.disk() + ": its bitmap " + bitmap.name()
                        + " is inconsistent; remove it, and migrate then");
            }
        }
        table();
        knownBytes = bytesLeft();
    }

    /** The bits change until all is stopped, so that they are counted anew unless a guess will do. */
    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        if (precision != Precision.ESTIMATE) {
            knownBytes = bytesLeft();
        }
        if (when == When.AFTER_SWITCHOVER) {
            pending.laterBytes(knownBytes);
        } else {
            pending.stoppedBytes(knownBytes);
        }
    }

    /** No less than what the runs take in pieces of the least length. */
    private long bytesLeft() {
        long bytes = 0;
        for (DiskBitmap bitmap : saving) {
            Runs runs = new Runs(bitmap.bits());
            long own = 0;
            long at = 0;
            while (runs.next()) {
                own += lengthOf(runs.from - at) + lengthOf(runs.end - runs.from);
                at = runs.end;
            }
            bytes += own == 0 ? 0 : own + (own / (LEAST_PIECE - MOST_RUN_BYTES) + 1) * (HEADER_BYTES + MOST_RUN_BYTES);
        }
        return bytes;
    }

    @Override
    public void complete(StateOutput out) throws IOException {
        saving = bitmaps.list();
        out.sendExtra(table());
        if (when == When.BEFORE_SWITCHOVER) {
            sendBits(out);
        }
    }

    @Override
    public boolean hasLater() {
        return when == When.AFTER_SWITCHOVER && !saving.isEmpty();
    }

    @Override
    public void saveLater(StateOutput out) throws IOException {
        sendBits(out);
    }

    /** What bitmaps there are: the bits' pieces name them by their place here. */
    private ByteBuffer table() throws IOException {
        ByteBuffer table = ByteBuffer.allocate(StateOutput.MAX_EXTRA).order(ByteOrder.LITTLE_ENDIAN);
        table.putInt(when == When.AFTER_SWITCHOVER ? BITS_COME_LATER : 0).putInt(saving.size());
        for (DiskBitmap bitmap : saving) {
            byte[] disk = bitmap.disk().getBytes(StandardCharsets.UTF_8);
            byte[] called = bitmap.name().getBytes(StandardCharsets.UTF_8);
            if (table.remaining() < disk.length + called.length + 2 * Short.BYTES + 2 * Integer.BYTES + Long.BYTES) {
                throw new IOException("the names of its " + saving.size() + " bitmaps are longer than "
                        + StateOutput.MAX_EXTRA + " bytes; divide them among several handlers");
            }
            table.putShort((short) disk.length)
                    .put(disk)
                    .putShort((short) called.length)
                    .put(called);
            table.putLong(bitmap.bits().length()).putInt(bitmap.bits().granularity());
            table.putInt((bitmap.persistent() ? PERSISTENT : 0) | (bitmap.enabled() ? ENABLED : 0));
        }
        return table.flip();
    }

    private void sendBits(StateOutput out) throws IOException {
        for (int i = 0; i < saving.size(); i++) {
            Runs runs = new Runs(saving.get(i).bits());
            boolean more = runs.next();
            while (more) {
                PooledBuffer piece = out.acquire();
                ByteBuffer view = piece.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + piece.capacity());
                long at = runs.from;
                view.putInt(i).putLong(at);
                while (more && view.remaining() >= MOST_RUN_BYTES) {
                    putVarint(view, runs.from - at);
                    putVarint(view, runs.end - runs.from);
                    at = runs.end;
                    more = runs.next();
                }
                piece.length(view.position() - PooledBuffer.HEAD_ROOM);
                out.send(piece);
            }
        }
    }

    /** The runs of marked blocks, in their order. */
    private static final class Runs {
        private final BlockBitmap bits;
        private long from;
        private long end;

        Runs(BlockBitmap bits) {
            this.bits = bits;
        }

        boolean next() {
            from = bits.nextMarked(end);
            end = bits.nextUnmarked(from);
            return from < bits.blocks();
        }
    }

    private static int lengthOf(long value) {
        return Math.max(1, (70 - Long.numberOfLeadingZeros(value)) / 7);
    }

    private static void putVarint(ByteBuffer to, long value) {
        long rest = value;
        while (rest >= 0x80) {
            to.put((byte) (rest | 0x80));
            rest >>>= 7;
        }
        to.put((byte) rest);
    }

    private static long getVarint(ByteBuffer from) throws IOException {
        long value = 0;
        for (int shift = 0; shift < 35; shift += 7) {
            byte next = from.get();
            value |= (long) (next & 0x7F) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new IOException("a piece of a bitmap with a number that is too long");
    }

    @Override
    public void loadSetup() {
        loading = List.of();
        replaced = null;
        tableCame = false;
    }

    @Override
    public void loadExtra(ByteBuffer extra) throws IOException {
        if (tableCame) {
            throw new IOException("the list of bitmaps came twice");
        }
        try {
            loading = bitmapsOf(extra);
        } catch (BufferUnderflowException e) {
            throw new IOException("a list of bitmaps that is too short", e);
        }
        tableCame = true;
    }

    /** A peer is not trusted: what its bitmaps take together is bounded before any is made. */
    private List<DiskBitmap> bitmapsOf(ByteBuffer table) throws IOException {
        List<DiskBitmap> made = new ArrayList<>();
        Set<String> names = new HashSet<>();
        long blocksLeft = BlockBitmap.MOST_BLOCKS;
        laterComes = table.getInt() == BITS_COME_LATER;
        int count = table.getInt();
        for (int i = 0; i < count; i++) {
            String disk = text(table);
            String called = text(table);
            long length = table.getLong();
            int granularity = table.getInt();
            int flags = table.getInt();
            Long here = bitmaps.disks().get(disk);
            if (here == null || here != length) {
                throw new IOException("the source has a bitmap of a disk " + shown(disk) + " of " + length + " bytes, "
                        + (here == null ? "which is missing here" : "which has " + here + " here"));
            }
            String wrong = BlockBitmap.wrongWith(length, granularity);
            blocksLeft -= wrong == null ? (length - 1) / granularity + 1 : 0;
            if (wrong != null || blocksLeft < 0 || called.isEmpty() || !names.add(disk + "/" + called)) {
                throw new IOException("the source's bitmap " + shown(called) + " of disk " + disk + ": "
                        + (wrong != null
                                ? wrong
                                : blocksLeft < 0 ? "the bitmaps have too many bits together" : "it is there twice"));
            }
            made.add(new DiskBitmap(
                    disk,
                    called,
                    new BlockBitmap(length, granularity),
                    (flags & PERSISTENT) != 0,
                    (flags & ENABLED) != 0));
        }
        return made;
    }

    private static String text(ByteBuffer from) throws IOException {
        int length = Short.toUnsignedInt(from.getShort());
        if (length > DiskBitmap.MAX_NAME) {
            throw new IOException("a name of " + length + " bytes");
        }
        byte[] bytes = new byte[length];
        from.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** A peer's name on a terminal. */
    private static String shown(String name) {
        return name.replaceAll("[\\p{Cc}\\p{Cf}]", "?");
    }

    /** What this side has marked in the meantime stays marked. */
    @Override
    public void load(PooledBuffer chunk) throws IOException {
        ByteBuffer view = chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + chunk.length());
        try {
            int index = view.getInt();
            if (index < 0 || index >= loading.size()) {
                throw new IOException("a piece of a bitmap that was not announced");
            }
            BlockBitmap bits = loading.get(index).bits();
            long at = view.getLong();
            while (view.hasRemaining()) {
                long gap = getVarint(view);
                long length = getVarint(view);
                if (at < 0 || at > bits.blocks() - gap - length || length == 0) {
                    throw new IOException("a run of " + length + " blocks beyond block " + at + " of " + bits.blocks()
                            + " of bitmap " + shown(loading.get(index).name()));
                }
                bits.markBlocks(at + gap, at + gap + length);
                at += gap + length;
            }
        } catch (BufferUnderflowException e) {
            throw new IOException("a piece of a bitmap that is cut off", e);
        }
    }

    @Override
    public void loadFinish() throws IOException {
        if (!tableCame) {
            throw new IOException("the list of bitmaps did not come");
        }
        replaced = bitmaps.replace(loading);
    }

    @Override
    public void resume() {
        // At the source nothing was loaded.
        if (!laterComes) {
            bitmaps.consistent(loading);
        }
    }

    @Override
    public boolean takesLater() {
        return true;
    }

    @Override
    public void laterLoaded() {
        bitmaps.consistent(loading);
    }

    @Override
    public void discard() {
        if (replaced != null) {
            bitmaps.restore(loading, replaced);
        }
        loading = List.of();
        replaced = null;
    }

    @Override
    public void cleanup() {
        saving = List.of();
        loading = List.of();
        replaced = null;
    }
}
