// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.stream.PageTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Finds pages of nothing but zeros, at the speed of memory. Any thread. */
public final class ZeroPages {
    private static final long NO_DIFFERENCE = -1;

    /** Any address may be asked for. */
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

    /**
     * How many pages are looked at at once, when those before were zero: a long loop without a way out is as fast as
     * memory, while at its end the processor guesses wrong, and the memory behind waits.
     */
    private static final int AT_ONCE = 16;

    /** Compared with what is not all zero, to find where that begins. */
    private static final MemorySegment ZEROS = Arena.global()
            .allocate((long) AT_ONCE * PageTable.PAGE_BYTES, PageTable.PAGE_BYTES)
            .asReadOnly();

    private ZeroPages() {}

    /**
     * Tells whether a page holds nothing but zeros. Memory that was never touched may get page tables by that, but no
     * pages, unless it is a file's.
     *
     * @param memory the memory
     * @param offset where in it the page of {@link PageTable#PAGE_BYTES} begins, in bytes
     * @return whether all bytes are 0, at some time during the call
     * @throws IndexOutOfBoundsException where there is no such page
     */
    public static boolean isZero(MemorySegment memory, long offset) {
        return leading(memory, offset, 1) > 0;
    }

    /**
     * Counts the pages of nothing but zeros that lie before the first one with something else.
     *
     * @param memory the memory
     * @param offset where in it the first page of {@link PageTable#PAGE_BYTES} begins, in bytes
     * @param most how many pages to look at, at the most
     * @return how many of them, from the first one on, each were all 0 at some time during the call
     * @throws IndexOutOfBoundsException where there are not so many pages
     */
    public static long leading(MemorySegment memory, long offset, long most) {
        long pages = 0;
        // A lone zero page is not to cost as much as sixteen.
        int atOnce = 1;
        while (pages < most) {
            long count = Math.min(atOnce, most - pages);
            long zero = leadingOf(memory, offset + pages * PageTable.PAGE_BYTES, count);
            pages += zero;
            if (zero < count) {
                break;
            }
            atOnce = Math.min(2 * atOnce, AT_ONCE);
        }
        return pages;
    }

    private static long leadingOf(MemorySegment memory, long offset, long count) {
        // Most pages that hold something do so at their beginning.
        if (memory.get(WORD, offset) != 0) {
            return 0;
        }
        long bytes = count * PageTable.PAGE_BYTES;
        if (count > 1 && isAllZero(memory, offset, offset + bytes)) {
            return count;
        }
        long different = MemorySegment.mismatch(memory, offset, offset + bytes, ZEROS, 0, bytes);
        return different == NO_DIFFERENCE ? count : different / PageTable.PAGE_BYTES;
    }

    private static boolean isAllZero(MemorySegment memory, long from, long to) {
        long any = 0;
        for (long at = from; at < to; at += Long.BYTES) {
            any |= memory.get(WORD, at);
        }
        return any == 0;
    }
}
