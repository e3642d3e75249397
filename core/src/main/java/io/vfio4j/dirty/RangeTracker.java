// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import java.util.List;

/** What all trackers have in common: they check what they are asked, and know whether they watch, and what. */
abstract class RangeTracker implements DirtyTracker {
    /** The smallest page that any of the kernel's interfaces knows. */
    static final long SMALLEST_PAGE = 4096;

    private final Capability capability;
    private List<AddressRange> ranges = List.of();
    private long granted;

    RangeTracker(Capability capability) {
        this.capability = capability;
    }

    /**
     * Begins to watch ranges that are checked and sorted, with a hint of 4 KiB or more; returns the page size granted,
     * a power of two. Undoes all when it throws.
     */
    abstract long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException;

    /**
     * Reports and forgets a range that lies within one watched range and has been checked against the bitmap. Where
     * this cannot report, {@link #collect} marks everything.
     */
    abstract Collected report(AddressRange range, DirtyBitmap into) throws DirtyTrackingException;

    /** Ends watching: 0 or -errno. */
    abstract int end();

    @Override
    public final Capability capability() {
        return capability;
    }

    @Override
    public final long start(List<AddressRange> wanted, long pageSizeHint) throws DirtyTrackingException {
        if (!ranges.isEmpty()) {
            throw failure(Problem.BUSY, "it watches already; stop it first", 0);
        }
        if (Long.bitCount(pageSizeHint) != 1 || pageSizeHint < 0) {
            throw failure(Problem.BAD_PAGE_SIZE, "a page size is a power of two, not " + pageSizeHint, 0);
        }
        List<AddressRange> sorted = wanted.stream().sorted().toList();
        if (sorted.isEmpty()) {
            throw failure(Problem.BAD_RANGE, "there is no range to watch; name at least one", 0);
        }
        long unit = Math.max(pageSizeHint, SMALLEST_PAGE);
        for (int i = 0; i < sorted.size(); i++) {
            AddressRange range = sorted.get(i);
            if ((range.start() | range.length()) % unit != 0) {
                throw failure(
                        Problem.BAD_RANGE,
                        "the range " + range + " is no multiple of " + unit
                                + " bytes; align it, or ask for smaller pages",
                        0);
            }
            if (i > 0 && range.overlaps(sorted.get(i - 1))) {
                throw failure(Problem.BAD_RANGE, "the ranges " + sorted.get(i - 1) + " and " + range + " overlap", 0);
            }
        }
        granted = begin(sorted, unit);
        ranges = sorted;
        return granted;
    }

    @Override
    public final Collected collect(AddressRange range, DirtyBitmap into) throws DirtyTrackingException {
        requireStarted();
        if (!into.range().contains(range)
                || ((range.start() - into.range().start()) | range.length()) % into.pageSize() != 0) {
            throw failure(
                    Problem.BAD_RANGE,
                    "the range " + range + " is not made of pages of the bitmap for " + into.range() + " by "
                            + into.pageSize() + " bytes",
                    0);
        }
        if ((range.start() | range.length()) % SMALLEST_PAGE != 0) {
            throw failure(
                    Problem.BAD_RANGE,
                    "the range " + range + " is no multiple of " + SMALLEST_PAGE + " bytes; align it",
                    0);
        }
        long watched = 0;
        for (AddressRange each : ranges) {
            if (each.overlaps(range)) {
                AddressRange part = each.intersect(range);
                requireWholePages(each, part);
                watched += part.length();
            }
        }
        if (watched != range.length()) {
            throw failure(Problem.BAD_RANGE, "not all of " + range + " is watched; start it with that range", 0);
        }
        Collected collected = Collected.REPORTED;
        for (AddressRange each : ranges) {
            if (each.overlaps(range)) {
                collected = collected.and(report(each.intersect(range), into));
            }
        }
        if (!collected.reported()) {
            into.mark(range);
        }
        return collected;
    }

    /** A page that is larger than what is collected of it would be forgotten whole. */
    private void requireWholePages(AddressRange watched, AddressRange part) throws DirtyTrackingException {
        boolean begins = part.start() == watched.start() || part.start() % granted == 0;
        boolean ends = part.last() == watched.last() || (part.last() + 1) % granted == 0;
        if (!begins || !ends) {
            throw failure(
                    Problem.BAD_RANGE,
                    "the range " + part + " is not made of pages of " + granted
                            + " bytes, which it watches by; collect whole ones",
                    0);
        }
    }

    @Override
    public final void stop() throws DirtyTrackingException {
        if (ranges.isEmpty()) {
            return;
        }
        ranges = List.of();
        int result = end();
        if (result < 0) {
            throw failure(Problem.FAILED, "stopping failed", result);
        }
    }

    /** Stops, and has the subclass {@link #free} what it holds. */
    @Override
    public final void close() {
        if (!ranges.isEmpty()) {
            ranges = List.of();
            end();
        }
        free();
    }

    /** Gives back what a subclass holds beyond what {@link #end} ends. */
    void free() {}

    final void requireStarted() throws DirtyTrackingException {
        if (ranges.isEmpty()) {
            throw failure(Problem.NOT_STARTED, "it does not watch; start it first", 0);
        }
    }

    /** Says that the source could not report. */
    final Collected everything(AddressRange range, String what, long result) {
        return new Collected(capability.source() + ": " + what + " for " + range + " failed (" + Errno.describe(result)
                + "): everything in it counts as dirty");
    }

    final DirtyTrackingException failure(Problem problem, String message, long result) {
        return new DirtyTrackingException(problem, capability.source(), message, result);
    }

    /** Says what is wrong with an fd that the kernel does not take, or passes other errors on as they are. */
    final DirtyTrackingException refused(String what, long result) {
        if (Errno.EBADF.is(result)) {
            return failure(Problem.FOREIGN, what + " failed, for the fd is closed; open it again", result);
        }
        if (Errno.ENOTTY.is(result) || Errno.EOPNOTSUPP.is(result) || Errno.ENOSYS.is(result)) {
            return failure(Problem.UNSUPPORTED, what + " is not supported; use another source of dirty pages", result);
        }
        if (Errno.EBUSY.is(result)) {
            return failure(Problem.BUSY, what + " failed, for somebody else does; stop that first", result);
        }
        return failure(Problem.FAILED, what + " failed", result);
    }
}
