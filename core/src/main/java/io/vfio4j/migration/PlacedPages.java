// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.PageTable;
import io.vfio4j.stream.StreamException;
import io.vfio4j.stream.StreamException.Problem;
import io.vfio4j.transport.IncomingFile;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * One handler's pages in their places in a file, and where its index is: the frames are read by one thread, which notes
 * the tables, and the pages of each handler by its own, beside the others'.
 */
final class PlacedPages {
    /** A table of the index, which was found right when it was noted. */
    record Table(long at, int length, int checksum) {}

    private final PagePlaces places;
    private final IncomingFile file;
    private final List<Table> tables = new ArrayList<>();
    private final PageTable.Reader reader = new PageTable.Reader();
    private final CRC32C crc = new CRC32C();

    PlacedPages(PagePlaces places, IncomingFile file) {
        this.places = places;
        this.file = file;
    }

    /**
     * Notes a table that was just read through the file's connection.
     *
     * @return how many bytes the pages have that it says are present
     */
    long note(ByteBuffer table) throws IOException {
        int length = table.remaining();
        tables.add(new Table(file.position() - length, length, checksum(table.duplicate())));
        long bytes = 0;
        reader.begin(table);
        while (reader.next()) {
            bytes += reader.isPresent() ? (long) reader.count() * PageTable.PAGE_BYTES : 0;
        }
        return bytes;
    }

    private int checksum(ByteBuffer table) {
        crc.reset();
        crc.update(table);
        return (int) crc.getValue();
    }

    List<Table> tables() {
        return tables;
    }

    /** Reads a table of the index again. */
    ByteBuffer read(Table table, PooledBuffer into) throws IOException {
        into.length(table.length());
        int end = PooledBuffer.HEAD_ROOM + table.length();
        file.read(into.view(PooledBuffer.HEAD_ROOM, end), table.at());
        if (checksum(into.view(PooledBuffer.HEAD_ROOM, end)) != table.checksum()) {
            throw new StreamException(Problem.DAMAGED, "the file changes while it is loaded");
        }
        return into.view(PooledBuffer.HEAD_ROOM, end);
    }

    /**
     * Reads the pages of a table.
     *
     * @param into where to, for each present run
     * @return how many bytes they have
     */
    long read(ByteBuffer table, List<MemorySegment> into) throws TransportException, StreamException {
        long bytes = 0;
        int run = 0;
        reader.begin(table);
        while (reader.next()) {
            long number = places.number(reader);
            if (reader.isPresent()) {
                file.read(into.get(run).asByteBuffer(), places.position(number));
                bytes += into.get(run).byteSize();
                run++;
            }
        }
        return bytes;
    }
}
