// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.StreamException.Problem;
import java.nio.ByteBuffer;

/**
 * The payload of a {@link FrameKind#PAGES} frame: runs of pages, with the checksum of each page that is present. All
 * numbers are little-endian.
 *
 * <pre>
 *   0       1       2       3       4       5       6       7
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  |            region             |  kind: 1 present, 2 zero      |  0
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  |                   first page of the region                    |  8
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  |        count of pages         |        reserved, zero         | 16
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  | a present run only: CRC32C of each page, 4 bytes each ...     | 24
 * </pre>
 *
 * <p>The pages of the present runs follow the frame, in the order of the table. A run of zero pages has none.
 */
public final class PageTable {
    /** What a page is on the wire, whatever the memory is made of, in bytes. */
    public static final int PAGE_BYTES = 4096;

    /** How many runs a table can have. */
    public static final int MAX_RUNS = 256;

    private static final int ENTRY_BYTES = 24;
    private static final int PRESENT = 1;
    private static final int ZERO = 2;

    private static final int KIND_AT = 4;
    private static final int FIRST_AT = 8;
    private static final int COUNT_AT = 16;
    private static final int RESERVED_AT = 20;

    private PageTable() {}

    /** Writes tables, one after the other. One thread at a time; allocates nothing. */
    public static final class Writer {
        private int runs;
        private int at;
        private int run;
        private int limit;
        private ByteBuffer view = ByteBuffer.allocate(0);

        /** Makes a writer that has no table yet. */
        public Writer() {}

        /**
         * Begins an empty table.
         *
         * @param into the buffer whose payload becomes the table
         */
        public void begin(PooledBuffer into) {
            begin(into, into.capacity());
        }

        /**
         * Begins an empty table that is to fit into another buffer as well.
         *
         * @param into the buffer whose payload becomes the table
         * @param mostBytes how long it can be, with room for a run of one page at the least
         */
        public void begin(PooledBuffer into, int mostBytes) {
            at = PooledBuffer.HEAD_ROOM;
            limit = PooledBuffer.HEAD_ROOM + Math.min(Math.min(into.capacity(), mostBytes), Frame.MAX_MESSAGE);
            view = into.view(at, limit);
            runs = 0;
        }

        /**
         * Tells whether there is room for another run, of one page if it is present.
         *
         * @return false when the table is full
         */
        public boolean hasRoomForRun() {
            return runs < MAX_RUNS && at + ENTRY_BYTES + Integer.BYTES <= limit;
        }

        /**
         * Tells whether there is room for another page of the present run that was begun last.
         *
         * @return false when the table is full
         */
        public boolean hasRoomForPage() {
            return at + Integer.BYTES <= limit;
        }

        /**
         * Begins a run of pages that follow the frame; {@link #page} adds each.
         *
         * @param region the region's number
         * @param first the first page's number in it
         */
        public void present(int region, long first) {
            run(region, PRESENT, first, 0);
        }

        /**
         * Adds a page to the run that was begun last.
         *
         * @param checksum its CRC32C
         */
        public void page(int checksum) {
            view.putInt(at, checksum);
            at += Integer.BYTES;
            view.putInt(run + COUNT_AT, view.getInt(run + COUNT_AT) + 1);
        }

        /**
         * Adds a run of zero pages.
         *
         * @param region the region's number
         * @param first the first page's number in it
         * @param count how many, at least 1
         */
        public void zero(int region, long first, int count) {
            run(region, ZERO, first, count);
        }

        private void run(int region, int kind, long first, int count) {
            run = at;
            view.putInt(at, region)
                    .putInt(at + KIND_AT, kind)
                    .putLong(at + FIRST_AT, first)
                    .putInt(at + COUNT_AT, count)
                    .putInt(at + RESERVED_AT, 0);
            at += ENTRY_BYTES;
            runs++;
        }

        /**
         * Returns how long the table is.
         *
         * @return bytes, what the buffer's length is to be set to
         */
        public int length() {
            return at - PooledBuffer.HEAD_ROOM;
        }
    }

    /**
     * Reads tables, one after the other, and run by run. What it reads is not trusted: a run that it hands out has a
     * kind that exists, at least one page, no page beyond 63 bits and a checksum for each present page; whether there
     * is such a region with such pages is the caller's to check. One thread at a time; allocates nothing.
     */
    public static final class Reader {
        private ByteBuffer view = ByteBuffer.allocate(0);
        private int end;
        private int next;
        private int run;

        /** Makes a reader that has no table yet. */
        public Reader() {}

        /**
         * Begins with a table.
         *
         * @param table little-endian, from position to limit, both of which stay; valid as long as this reads it
         */
        public void begin(ByteBuffer table) {
            view = table;
            next = table.position();
            end = table.limit();
        }

        /**
         * Goes on to the next run.
         *
         * @return false when there is none
         * @throws StreamException for a run that is cut short, has no page or is of no kind
         */
        public boolean next() throws StreamException {
            if (next == end) {
                return false;
            }
            run = next;
            if (end - run < ENTRY_BYTES) {
                throw refused("a run is cut short");
            }
            int kind = view.getInt(run + KIND_AT);
            if (kind != PRESENT && kind != ZERO) {
                throw refused("no run has the kind " + Integer.toUnsignedString(kind));
            }
            if (count() <= 0 || first() < 0 || first() + count() < 0) {
                throw refused("no run has " + Integer.toUnsignedString(count()) + " pages from page "
                        + Long.toUnsignedString(first()));
            }
            long length = ENTRY_BYTES + (kind == PRESENT ? (long) count() * Integer.BYTES : 0);
            if (length > end - run) {
                throw refused("a run of " + count() + " pages is cut short");
            }
            next = run + (int) length;
            return true;
        }

        private static StreamException refused(String why) {
            return new StreamException(Problem.UNEXPECTED, "a table of pages makes no sense: " + why);
        }

        /**
         * Returns the run's region.
         *
         * @return its number, any
         */
        public int region() {
            return view.getInt(run);
        }

        /**
         * Tells whether the run's pages follow the frame.
         *
         * @return false for a run of zero pages
         */
        public boolean isPresent() {
            return view.getInt(run + KIND_AT) == PRESENT;
        }

        /**
         * Returns the run's first page.
         *
         * @return its number in the region
         */
        public long first() {
            return view.getLong(run + FIRST_AT);
        }

        /**
         * Returns how many pages the run has.
         *
         * @return the count, at least 1
         */
        public int count() {
            return view.getInt(run + COUNT_AT);
        }

        /**
         * Returns the checksum of a page of a present run.
         *
         * @param index the page's number in the run, from 0
         * @return its CRC32C
         */
        public int checksum(int index) {
            return view.getInt(run + ENTRY_BYTES + index * Integer.BYTES);
        }
    }
}
