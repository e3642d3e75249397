// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import java.util.List;

/**
 * Watches ranges of memory and tells which pages were written to.
 *
 * <p>First {@link #start}, then any number of {@link #collect}, then {@link #stop}; it may be started again. What a
 * page holds must be read after the collection that reported it, never before. One thread at a time.
 */
public interface DirtyTracker extends AutoCloseable {
    /**
     * Returns what this tracker can see and what it costs.
     *
     * @return the description
     */
    Capability capability();

    /**
     * Begins to watch. All pages count as clean from here on, so they are to be sent once anyway.
     *
     * @param ranges what to watch: not empty, without overlaps, in multiples of 4 KiB and of the hint
     * @param pageSizeHint how fine to watch, in bytes, a power of two
     * @return how fine it watches: a page is reported when any of so many bytes around it was written
     * @throws DirtyTrackingException when it cannot, and then nothing is left running
     */
    long start(List<AddressRange> ranges, long pageSizeHint) throws DirtyTrackingException;

    /**
     * Adds the pages that were written since they were last collected to a bitmap, and forgets them. Bits that are set
     * already stay set. A source that fails here has all pages of the range marked, and the result says why.
     *
     * @param range what to collect: within the ranges watched and the bitmap's, in multiples of 4 KiB and of the
     *     bitmap's page size; where it begins or ends within a watched range, in multiples of the page size granted,
     *     too
     * @param into where to add; its page size need not be the tracker's
     * @return whether the source reported, or everything was marked
     * @throws DirtyTrackingException {@code NOT_STARTED} or {@code BAD_RANGE}, and then nothing was forgotten
     */
    Collected collect(AddressRange range, DirtyBitmap into) throws DirtyTrackingException;

    /**
     * Ends watching; what was not collected is lost. Does nothing when it does not watch.
     *
     * @throws DirtyTrackingException when the kernel refuses; it counts as stopped all the same
     */
    void stop() throws DirtyTrackingException;

    /** Ends watching if need be, and gives back what the tracker holds. Fds that it was given stay open. */
    @Override
    void close();
}
