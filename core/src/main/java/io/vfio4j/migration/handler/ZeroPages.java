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

    /** One page that is always in the processor's nearest cache: what is compared with it is all that memory sees. */
    private static final MemorySegment ZEROS =
            Arena.global().allocate(PageTable.PAGE_BYTES, PageTable.PAGE_BYTES).asReadOnly();

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
        long end = offset + PageTable.PAGE_BYTES;
        // Most pages that hold something do so at their beginning.
        return memory.get(WORD, offset) == 0
                && MemorySegment.mismatch(memory, offset, end, ZEROS, 0, PageTable.PAGE_BYTES) == NO_DIFFERENCE;
    }
}
