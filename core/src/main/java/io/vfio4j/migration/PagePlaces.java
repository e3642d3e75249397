// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.StateHandler.PageRange;
import io.vfio4j.stream.PageTable;
import io.vfio4j.stream.StreamException;
import io.vfio4j.stream.StreamException.Problem;
import java.util.List;

/**
 * The places of one handler's pages in a file: an area in which they lie in the order of their ranges.
 *
 * @param at where the area begins
 * @param ranges the handler's pages
 */
record PagePlaces(long at, List<PageRange> ranges) {

    long pages() {
        return ranges.stream().mapToLong(PageRange::count).sum();
    }

    /** The number of a run's first place in the area; those of its other pages follow. */
    long number(PageTable.Reader run) throws StreamException {
        long before = 0;
        for (PageRange range : ranges) {
            long index = run.first() - range.first();
            if (range.region() == run.region() && index >= 0 && run.count() <= range.count() - index) {
                return before + index;
            }
            before += range.count();
        }
        throw new StreamException(
                Problem.UNEXPECTED,
                "there is no place for " + run.count() + " pages from page " + run.first() + " of region number "
                        + Integer.toUnsignedString(run.region()));
    }

    /** Where in the file a place is. */
    long position(long number) {
        return at + number * PageTable.PAGE_BYTES;
    }
}
