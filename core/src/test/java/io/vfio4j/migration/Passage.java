// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;

/** What one handler sends, right into another one, without an engine, a connection or a second thread in between. */
public final class Passage implements StateOutput, AutoCloseable {
    private static final int EVERYTHING = Integer.MAX_VALUE;

    private final BufferPool pool;
    private final Sink sink;

    /** Where it goes. */
    private interface Sink {
        void data(PooledBuffer piece) throws IOException;

        void extra(ByteBuffer extra) throws IOException;

        void pages(PooledBuffer table, List<MemorySegment> pages) throws IOException;
    }

    private Passage(int chunkBytes, Sink sink) {
        this.pool = new BufferPool(LibC.system(), 4, chunkBytes, false);
        this.sink = sink;
    }

    /** Opens the way into a handler; the caller makes the calls of both sides. */
    public static Passage into(StateHandler to, int chunkBytes) {
        return new Passage(chunkBytes, new Loading(to, EVERYTHING, -1, 0));
    }

    /** Moves what a handler sends when all is stopped. */
    public static void allAtOnce(StateHandler from, StateHandler to, int chunkBytes) throws IOException {
        moved(from, to, chunkBytes, EVERYTHING, -1, 0);
    }

    /** The same, but only the first bytes of it arrive. */
    public static void cut(StateHandler from, StateHandler to, int chunkBytes, int bytes) throws IOException {
        moved(from, to, chunkBytes, bytes, -1, 0);
    }

    /** The same, but some bits of one byte are turned over. */
    public static void altered(StateHandler from, StateHandler to, int chunkBytes, int at, int bits)
            throws IOException {
        moved(from, to, chunkBytes, EVERYTHING, at, bits);
    }

    /** How many bytes a handler sends when all is stopped. */
    public static int bytesOf(StateHandler from, int chunkBytes) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (Passage out = new Passage(chunkBytes, new Sink() {
            @Override
            public void data(PooledBuffer piece) {
                bytes.writeBytes(new byte[piece.length()]);
            }

            @Override
            public void extra(ByteBuffer extra) {}

            @Override
            public void pages(PooledBuffer table, List<MemorySegment> pages) {
                bytes.writeBytes(new byte[(int) FrameChannel.bytes(pages)]);
            }
        })) {
            from.saveSetup();
            completeAll(from, out);
            from.cleanup();
        }
        return bytes.size();
    }

    /** What goes while all is stopped: what the handler expects before, and what it sends. */
    record Account(long expected, long sent) {}

    /** Makes the calls of a whole migration, of both sides on one thread, with a change between the rounds. */
    static Account stepByStep(StateHandler from, StateHandler to, int chunkBytes, Runnable change) throws IOException {
        from.prepare();
        to.prepare();
        to.rehearse();
        to.loadSetup();
        Loading loading = new Loading(to, EVERYTHING, -1, 0);
        Pending pending = new Pending();
        try (Passage out = new Passage(chunkBytes, loading)) {
            from.saveSetup();
            for (int round = 0; round < 3; round++) {
                while (from.iterates() && from.iterate(out)) {
                    pending.clear();
                    from.pending(0, StateHandler.Precision.ESTIMATE, pending);
                }
                change.run();
            }
            pending.clear();
            from.pending(Long.MAX_VALUE, StateHandler.Precision.EXACT, pending);
            long expected = pending.downtimeBytes();
            from.quiesce();
            pending.clear();
            from.pending(Long.MAX_VALUE, StateHandler.Precision.FINAL, pending);
            from.stop();
            long before = loading.come;
            to.switchoverStart();
            from.complete(out);
            long sent = loading.come - before;
            to.loadFinish();
            to.resumeQuiesced();
            to.resume();
            if (from.hasLater()) {
                requireTakesLater(to);
                from.saveLater(out);
                to.laterLoaded();
            }
            from.release();
            return new Account(expected, sent);
        } finally {
            from.cleanup();
            to.cleanup();
        }
    }

    private static void moved(StateHandler from, StateHandler to, int chunkBytes, int bytes, int at, int bits)
            throws IOException {
        to.loadSetup();
        try (Passage out = new Passage(chunkBytes, new Loading(to, bytes, at, bits))) {
            from.saveSetup();
            boolean later = completeAll(from, out);
            if (later) {
                requireTakesLater(to);
            }
            from.cleanup();
            to.loadFinish();
            to.resumeQuiesced();
            to.resume();
            if (later) {
                to.laterLoaded();
            }
        } finally {
            to.cleanup();
        }
    }

    private static void requireTakesLater(StateHandler to) {
        if (!to.takesLater()) {
            throw new IllegalStateException(to.name() + ": the destination would refuse what can wait");
        }
    }

    /** As into a file: what can wait comes before the end. */
    private static boolean completeAll(StateHandler from, StateOutput out) throws IOException {
        from.complete(out);
        boolean later = from.hasLater();
        if (later) {
            from.saveLater(out);
        }
        return later;
    }

    private static final class Loading implements Sink {
        private final StateHandler to;
        private final int bytes;
        private final int at;
        private final int bits;
        private int come;

        Loading(StateHandler to, int bytes, int at, int bits) {
            this.to = to;
            this.bytes = bytes;
            this.at = at;
            this.bits = bits;
        }

        @Override
        public void data(PooledBuffer piece) throws IOException {
            if (at >= come && at < come + piece.length()) {
                int index = PooledBuffer.HEAD_ROOM + at - come;
                piece.view().clear().put(index, (byte) (piece.view().get(index) ^ bits));
            }
            int length = Math.min(piece.length(), Math.max(0, bytes - come));
            come += piece.length();
            piece.length(length);
            if (length > 0) {
                to.load(piece);
            }
        }

        @Override
        public void extra(ByteBuffer extra) throws IOException {
            to.loadExtra(extra);
        }

        @Override
        public void pages(PooledBuffer table, List<MemorySegment> pages) throws IOException {
            int end = PooledBuffer.HEAD_ROOM + table.length();
            List<MemorySegment> places = to.placePages(table.view(PooledBuffer.HEAD_ROOM, end));
            for (int i = 0; i < places.size(); i++) {
                places.get(i).copyFrom(pages.get(i));
            }
            come += (int) FrameChannel.bytes(pages);
            to.loadPages(table.view(PooledBuffer.HEAD_ROOM, end));
        }
    }

    @Override
    public PooledBuffer acquire() {
        return Objects.requireNonNull(pool.tryAcquire(), "a handler holds all buffers");
    }

    @Override
    public void giveBack(PooledBuffer unused) {
        pool.release(unused);
    }

    @Override
    public void send(PooledBuffer chunk) throws IOException {
        try {
            sink.data(chunk);
        } finally {
            pool.release(chunk);
        }
    }

    @Override
    public void sendExtra(ByteBuffer extra) throws IOException {
        sink.extra(extra.order(ByteOrder.LITTLE_ENDIAN));
    }

    @Override
    public void sendPages(PooledBuffer table, List<MemorySegment> pages) throws IOException {
        try {
            sink.pages(table, pages);
        } finally {
            pool.release(table);
        }
    }

    @Override
    public void notice(String text) {
        throw new IllegalStateException("there is nothing to tell: " + text);
    }

    /** Fails when a handler has kept a buffer. */
    @Override
    public void close() {
        pool.close();
    }
}
