// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.stream.PageTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * What of a region one handler moves. Pages have the numbers that they have in the region.
 *
 * @param region the region
 * @param number its number
 * @param first the first page
 * @param pages how many
 */
record RegionPart(GuestMemory.Region region, int number, long first, long pages) {

    boolean contains(long page, long count) {
        return page >= first && count <= pages && page - first <= pages - count;
    }

    /** The guest's addresses of some pages. */
    AddressRange range(long page, long count) {
        return new AddressRange(region.guestAddress() + page * PageTable.PAGE_BYTES, count * PageTable.PAGE_BYTES);
    }

    /** A bit for each page; bit 0 is the first one's. */
    DirtyBitmap bitmap() {
        return new DirtyBitmap(Arena.ofAuto(), range(first, pages), PageTable.PAGE_BYTES);
    }

    MemorySegment memory(long page, long count) {
        return region.memory().asSlice(page * PageTable.PAGE_BYTES, count * PageTable.PAGE_BYTES);
    }

    boolean isZero(long page) {
        return ZeroPages.isZero(region.memory(), page * PageTable.PAGE_BYTES);
    }

    /** Names a page, for a person. */
    String describe(long page) {
        return "page " + page + " of region " + region.name() + " (guest address 0x"
                + Long.toHexString(region.guestAddress() + page * PageTable.PAGE_BYTES) + ")";
    }

    /**
     * Looks at pages through views that are made once. One thread at a time; allocates nothing.
     *
     * <p>By buffers rather than by the segment, for the first pages of a process go through code that is not compiled
     * yet, and an access to a segment is long then.
     */
    static final class Pages {
        /** What one view can have: less than 2 GiB. */
        private static final int VIEW_SHIFT = 30;

        private static final int VIEW_MASK = (1 << VIEW_SHIFT) - 1;

        private final CRC32C crc = new CRC32C();
        private final RegionPart part;
        private final ByteBuffer[] views;
        private final long base;

        Pages(RegionPart part) {
            this.part = part;
            base = part.first * PageTable.PAGE_BYTES;
            MemorySegment memory = part.memory(part.first, part.pages);
            views = new ByteBuffer[(int) ((memory.byteSize() + VIEW_MASK) >>> VIEW_SHIFT)];
            for (int i = 0; i < views.length; i++) {
                long from = (long) i << VIEW_SHIFT;
                views[i] = memory.asSlice(from, Math.min(1L << VIEW_SHIFT, memory.byteSize() - from))
                        .asByteBuffer();
            }
        }

        boolean isZero(long page) {
            return zeroPages(page, 1) > 0;
        }

        /** How many zero pages lie before the first other one. Most that hold something do so at their beginning. */
        long zeroPages(long page, long most) {
            long offset = page * PageTable.PAGE_BYTES - base;
            ByteBuffer view = views[(int) (offset >>> VIEW_SHIFT)];
            return view.clear().getLong((int) offset & VIEW_MASK) == 0
                    ? ZeroPages.leading(part.region.memory(), page * PageTable.PAGE_BYTES, most)
                    : 0;
        }

        int checksum(long page) {
            long offset = page * PageTable.PAGE_BYTES - base;
            int at = (int) offset & VIEW_MASK;
            ByteBuffer view = views[(int) (offset >>> VIEW_SHIFT)];
            view.limit(at + PageTable.PAGE_BYTES).position(at);
            crc.reset();
            crc.update(view);
            return (int) crc.getValue();
        }
    }
}
