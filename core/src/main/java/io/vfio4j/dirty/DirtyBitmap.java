// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The pages of a range that are dirty: one bit each, off-heap, as the kernel writes it.
 *
 * <p>Bit k stands for the k-th page from the range's start, the lowest bit of the first byte first. What is done to
 * whole ranges goes by words of 64 pages; a scan stops at words that are neither empty nor full only. One thread at a
 * time. It lives as long as its arena.
 */
public final class DirtyBitmap {
    /** Receives one run of dirty pages. */
    @FunctionalInterface
    public interface RunVisitor {
        /**
         * Takes a run: the pages before and after it are clean, or outside.
         *
         * @param address its first address
         * @param length its length in bytes; the last page counts whole
         */
        void run(long address, long length);
    }

    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG;

    /** How much of the bitmap a visit holds in an array: far less than a processor's nearest cache. */
    private static final int BLOCK_WORDS = 512;

    private static final long NO_RUN = -1;

    private final AddressRange range;
    private final int pageShift;
    private final long pages;
    private final long wordCount;
    private final MemorySegment words;

    /**
     * Makes a bitmap without a dirty page.
     *
     * @param arena what it lives in
     * @param range the addresses that it covers; the start is a multiple of the page size
     * @param pageSize what a bit stands for, in bytes, a power of two
     * @throws IllegalArgumentException for a page size or a start that is none
     */
    public DirtyBitmap(Arena arena, AddressRange range, long pageSize) {
        if (Long.bitCount(pageSize) != 1 || pageSize < 0) {
            throw new IllegalArgumentException("a page size is a power of two, not " + pageSize);
        }
        if ((range.start() & (pageSize - 1)) != 0) {
            throw new IllegalArgumentException(
                    "the range " + range + " does not begin at a multiple of " + pageSize + " bytes");
        }
        this.range = range;
        this.pageShift = Long.numberOfTrailingZeros(pageSize);
        this.pages = ((range.length() - 1) >>> pageShift) + 1;
        this.wordCount = (pages + Long.SIZE - 1) >>> 6;
        // A cache line, so that scans may use wide loads.
        this.words = arena.allocate(wordCount * Long.BYTES, 64);
    }

    /**
     * Returns the addresses that the bitmap covers.
     *
     * @return its range
     */
    public AddressRange range() {
        return range;
    }

    /**
     * Returns what a bit stands for.
     *
     * @return bytes, a power of two
     */
    public long pageSize() {
        return 1L << pageShift;
    }

    /**
     * Returns how many pages the bitmap covers.
     *
     * @return the number of bits in use
     */
    public long pages() {
        return pages;
    }

    /**
     * Returns the bits themselves: 64-bit words in native byte order, in whole words.
     *
     * @return the memory; bits beyond {@link #pages} are 0 and must stay so
     */
    public MemorySegment memory() {
        return words;
    }

    /**
     * Tells whether a page is dirty.
     *
     * @param page its number, from 0
     * @return whether its bit is set
     * @throws IndexOutOfBoundsException where there is no such page
     */
    public boolean isDirty(long page) {
        return (word(requirePage(page) >>> 6) & 1L << page) != 0;
    }

    /**
     * Counts the dirty pages.
     *
     * @return the population count
     */
    public long dirtyPages() {
        long count = 0;
        for (long i = 0; i < wordCount; i++) {
            count += Long.bitCount(word(i));
        }
        return count;
    }

    /**
     * Tells whether no page is dirty.
     *
     * @return whether all bits are 0
     */
    public boolean isEmpty() {
        return nextDirty(0) == pages;
    }

    /**
     * Looks for a dirty page.
     *
     * @param from the first page to look at
     * @return the first dirty page from there on, or {@link #pages} where there is none
     */
    public long nextDirty(long from) {
        return next(from, 0);
    }

    /**
     * Looks for a clean page.
     *
     * @param from the first page to look at
     * @return the first clean page from there on, or {@link #pages} where there is none
     */
    public long nextClean(long from) {
        return next(from, -1L);
    }

    /**
     * Visits the runs of dirty pages in the order of their addresses.
     *
     * @param visitor is told of each; what it changes in this bitmap may or may not be seen by this visit
     */
    public void forEachRun(RunVisitor visitor) {
        // From an array, for off-heap memory is checked at every access in a loop that calls a visitor.
        long[] block = new long[(int) Math.min(BLOCK_WORDS, wordCount)];
        long begin = NO_RUN;
        for (long first = 0; first < wordCount; first += block.length) {
            int count = (int) Math.min(block.length, wordCount - first);
            MemorySegment.copy(words, WORD, first * Long.BYTES, block, 0, count);
            begin = visitRuns(visitor, block, count, first << 6, begin);
        }
        if (begin != NO_RUN) {
            visit(visitor, begin, pages);
        }
    }

    /** Visits the runs that end in a block. Returns where the run began that goes on behind it. */
    private long visitRuns(RunVisitor visitor, long[] block, int count, long firstPage, long runBegin) {
        long begin = runBegin;
        int i = skip(block, 0, count, begin == NO_RUN ? 0 : -1L);
        while (i < count) {
            long base = firstPage + ((long) i << 6);
            long word = block[i];
            if (begin != NO_RUN) {
                int end = Long.numberOfTrailingZeros(~word);
                visit(visitor, begin, base + end);
                word &= -1L << end;
                begin = NO_RUN;
            }
            while (word != 0) {
                int first = Long.numberOfTrailingZeros(word);
                int end = first + Long.numberOfTrailingZeros(~(word >>> first));
                if (end == Long.SIZE) {
                    begin = base + first;
                    break;
                }
                visit(visitor, base + first, base + end);
                word &= -1L << end;
            }
            i = skip(block, i + 1, count, begin == NO_RUN ? 0 : -1L);
        }
        return begin;
    }

    /** The first word from one on that is not equal to a value, or the count. */
    private static int skip(long[] block, int from, int count, long equal) {
        int i = from;
        while (i < count && block[i] == equal) {
            i++;
        }
        return i;
    }

    /** The first word from one on that is not equal to a value, or {@link #wordCount}. */
    private long skip(long from, long equal) {
        long i = from;
        while (i < wordCount && word(i) == equal) {
            i++;
        }
        return i;
    }

    /**
     * Marks all pages that a range touches.
     *
     * @param part the range; what of it lies outside of this bitmap is left out
     */
    public void mark(AddressRange part) {
        change(part, true);
    }

    /**
     * Calls all pages clean that a range touches.
     *
     * @param part the range; what of it lies outside of this bitmap is left out
     */
    public void clear(AddressRange part) {
        change(part, false);
    }

    /** Calls all pages clean. */
    public void clear() {
        words.fill((byte) 0);
    }

    /**
     * Adds the dirty pages of another bitmap, as far as both cover the same addresses. With other page sizes, each page
     * that a dirty one touches becomes dirty.
     *
     * @param other the other, which is left as it is
     */
    public void or(DirtyBitmap other) {
        if (other.range.start() == range.start() && other.pageShift == pageShift) {
            long both = Math.min(pages, other.pages);
            for (long i = 0; i < both >>> 6; i++) {
                set(i, word(i) | other.word(i));
            }
            if ((both & 63) != 0) {
                long last = both >>> 6;
                set(last, word(last) | (other.word(last) & ((1L << both) - 1)));
            }
        } else if (range.overlaps(other.range)) {
            other.forEachRun((address, length) -> mark(other.whole(address, length)));
        }
    }

    /**
     * Adds the dirty pages of a part of this bitmap to another, and calls them clean here.
     *
     * @param part the range; it begins and ends between pages of this bitmap
     * @param target where to add
     */
    void moveTo(AddressRange part, DirtyBitmap target) {
        long end = lastPage(part) + 1;
        long page = nextDirty(firstPage(part));
        while (page < end) {
            long clean = Math.min(end, nextClean(page));
            target.mark(whole(range.start() + (page << pageShift), (clean - page) << pageShift));
            page = nextDirty(clean);
        }
        clear(part);
    }

    /** Has the kernel set the bits of a range, from the lowest bit of the byte at an address on. */
    @FunctionalInterface
    interface KernelCall {
        Collected fill(long address, AddressRange range, DirtyBitmap bitmap);
    }

    /**
     * Lets the kernel set bits right here, or elsewhere: where the range's first bit is not the lowest of a byte, where
     * the range begins or ends within a page (the kernel's pages begin with the range, and iommufd wants whole ones),
     * and where pages are smaller than its own.
     */
    Collected filledByKernel(AddressRange part, KernelCall call) {
        long offset = part.start() - range.start();
        long page = offset >>> pageShift;
        boolean ownPages =
                pageSize() >= RangeTracker.SMALLEST_PAGE && ((offset | part.length()) & (pageSize() - 1)) == 0;
        if (ownPages && (page & 7) == 0) {
            return call.fill(words.address() + (page >>> 3), part, this);
        }
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap aligned = new DirtyBitmap(arena, part, ownPages ? pageSize() : RangeTracker.SMALLEST_PAGE);
            Collected collected = call.fill(aligned.words.address(), part, aligned);
            or(aligned);
            return collected;
        }
    }

    private long firstPage(AddressRange part) {
        return (range.intersect(part).start() - range.start()) >>> pageShift;
    }

    private long lastPage(AddressRange part) {
        return (range.intersect(part).last() - range.start()) >>> pageShift;
    }

    private void change(AddressRange part, boolean dirty) {
        if (!range.overlaps(part)) {
            return;
        }
        long first = firstPage(part);
        long last = lastPage(part);
        long firstMask = -1L << first;
        long lastMask = -1L >>> (63 - (last & 63));
        long i = first >>> 6;
        long lastWord = last >>> 6;
        if (i == lastWord) {
            change(i, firstMask & lastMask, dirty);
            return;
        }
        change(i, firstMask, dirty);
        if (++i < lastWord) {
            words.asSlice(i * Long.BYTES, (lastWord - i) * Long.BYTES).fill((byte) (dirty ? -1 : 0));
        }
        change(lastWord, lastMask, dirty);
    }

    private void change(long index, long mask, boolean dirty) {
        set(index, dirty ? word(index) | mask : word(index) & ~mask);
    }

    /** The first page from one on whose bit differs from those of a word of equal bits. */
    private long next(long from, long equal) {
        if (from >= pages) {
            return pages;
        }
        long i = from >>> 6;
        long different = (word(i) ^ equal) & -1L << from;
        if (different == 0) {
            i = skip(i + 1, equal);
            if (i == wordCount) {
                return pages;
            }
            different = word(i) ^ equal;
        }
        return Math.min(pages, (i << 6) + Long.numberOfTrailingZeros(different));
    }

    private void visit(RunVisitor visitor, long firstPage, long endPage) {
        visitor.run(range.start() + (firstPage << pageShift), (endPage - firstPage) << pageShift);
    }

    /** A run as a range; the last page of all may be cut short by the range's end. */
    private AddressRange whole(long address, long length) {
        return new AddressRange(address, Math.min(length, range.length() - (address - range.start())));
    }

    private long requirePage(long page) {
        if (page < 0 || page >= pages) {
            throw new IndexOutOfBoundsException("page " + page + " of " + pages);
        }
        return page;
    }

    private long word(long index) {
        return words.get(WORD, index * Long.BYTES);
    }

    private void set(long index, long value) {
        words.set(WORD, index * Long.BYTES, value);
    }
}
