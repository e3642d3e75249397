// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.migration.StateHandler.PageRange;
import io.vfio4j.stream.PageTable;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.PlacedOutput;
import io.vfio4j.transport.TransportException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * One handler's pages on their way to their places in a file, and what the file's index is to say of each in the end.
 *
 * <p>Takes 4 bytes and 2 bits of memory for each page, 0.1 % of what they are. For the thread that sends, and when all
 * was sent, for the one that ends the stream.
 */
final class SavedPages {
    /** How many pages a table of the index lists at the most: what the reader loads as one piece, 16 MiB. */
    private static final int TABLE_PAGES = (16 << 20) / PageTable.PAGE_BYTES;

    private final PagePlaces places;
    private final PlacedOutput file;
    private final int tableBytes;
    private final MemorySegment checksums;
    private final DirtyBitmap present;
    private final DirtyBitmap zero;
    private final PageTable.Reader reader = new PageTable.Reader();
    private final PageTable.Writer writer = new PageTable.Writer();
    private int range;
    private long rangeBegin;
    private long next;

    /**
     * Makes the memory of pages none of which was sent.
     *
     * @param tableBytes how long a table of the index can be
     */
    SavedPages(PagePlaces places, PlacedOutput file, int tableBytes) {
        this.places = places;
        this.file = file;
        this.tableBytes = tableBytes;
        this.checksums = Arena.ofAuto().allocate(JAVA_INT, places.pages());
        this.present = bitmap();
        this.zero = bitmap();
    }

    private DirtyBitmap bitmap() {
        return new DirtyBitmap(Arena.ofAuto(), pages(0, places.pages()), PageTable.PAGE_BYTES);
    }

    /** Places by their numbers, as a bitmap takes them. */
    private static AddressRange pages(long first, long count) {
        return new AddressRange(first * PageTable.PAGE_BYTES, count * PageTable.PAGE_BYTES);
    }

    /** Writes the pages of a table to their places, and makes holes of the zero ones. */
    void write(ByteBuffer table, List<MemorySegment> pages) throws TransportException, StreamException {
        int run = 0;
        reader.begin(table);
        while (reader.next()) {
            long number = places.number(reader);
            AddressRange all = pages(number, reader.count());
            if (reader.isPresent()) {
                file.write(pages.get(run), places.position(number));
                run++;
                for (int i = 0; i < reader.count(); i++) {
                    checksums.setAtIndex(JAVA_INT, number + i, reader.checksum(i));
                }
                present.mark(all);
                zero.clear(all);
            } else {
                clear(number, number + reader.count());
                present.clear(all);
                zero.mark(all);
            }
        }
    }

    private void clear(long first, long end) throws TransportException {
        long page = present.nextDirty(first);
        while (page < end) {
            long clean = Math.min(end, present.nextClean(page));
            file.clear(places.position(page), (clean - page) * PageTable.PAGE_BYTES);
            page = present.nextDirty(clean);
        }
    }

    /**
     * Makes the next table of the index, which lists each page that was sent once. Its length is 0 behind the last one.
     *
     * @param table where to
     * @return how many bytes the pages have that it says are present
     */
    long nextTable(PooledBuffer table) {
        writer.begin(table, tableBytes);
        long bytes = 0;
        int room = TABLE_PAGES;
        while (range < places.ranges().size() && room > 0 && writer.hasRoomForRun()) {
            PageRange pages = places.ranges().get(range);
            long end = rangeBegin + pages.count();
            long from = next;
            long most = Math.min(end, from + room);
            if (from == end) {
                rangeBegin = end;
                range++;
            } else if (zero.isDirty(from)) {
                next = Math.min(most, zero.nextClean(from));
                writer.zero(pages.region(), pages.first() + from - rangeBegin, (int) (next - from));
                room -= (int) (next - from);
            } else if (present.isDirty(from)) {
                addPresent(pages, Math.min(most, present.nextClean(from)));
                bytes += (next - from) * PageTable.PAGE_BYTES;
                room -= (int) (next - from);
            } else {
                next = Math.min(end, Math.min(zero.nextDirty(from), present.nextDirty(from)));
            }
        }
        table.length(writer.length());
        return bytes;
    }

    private void addPresent(PageRange pages, long end) {
        writer.present(pages.region(), pages.first() + next - rangeBegin);
        do {
            writer.page(checksums.getAtIndex(JAVA_INT, next));
            next++;
        } while (next < end && writer.hasRoomForPage());
    }
}
