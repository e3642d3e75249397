// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Several trackers as one: a page is dirty when any of them says so. They are started and stopped together, and closed
 * with this one.
 */
public final class UnionTracker implements DirtyTracker {
    private final List<DirtyTracker> trackers;

    /**
     * Joins trackers that do not watch yet and use the same addresses.
     *
     * @param trackers at least one; they belong to this one from here on
     * @throws IllegalArgumentException without any
     */
    public UnionTracker(List<? extends DirtyTracker> trackers) {
        if (trackers.isEmpty()) {
            throw new IllegalArgumentException("a union needs at least one tracker");
        }
        this.trackers = List.copyOf(trackers);
    }

    /** Returns what any of them sees; it reports too much if any of them does. */
    @Override
    public Capability capability() {
        List<Capability> all = trackers.stream().map(DirtyTracker::capability).toList();
        Set<Writer> sees = EnumSet.noneOf(Writer.class);
        all.forEach(each -> sees.addAll(each.sees()));
        return new Capability(
                all.stream().map(Capability::source).collect(Collectors.joining(" and ")),
                sees,
                all.stream().anyMatch(Capability::reportsTooMuch),
                all.stream().map(Capability::cost).distinct().collect(Collectors.joining("; ")));
    }

    /** Starts all of them, or none; the page size granted is the largest of theirs. */
    @Override
    public long start(List<AddressRange> ranges, long pageSizeHint) throws DirtyTrackingException {
        long granted = 0;
        List<DirtyTracker> started = new ArrayList<>();
        try {
            for (DirtyTracker tracker : trackers) {
                granted = Math.max(granted, tracker.start(ranges, pageSizeHint));
                started.add(tracker);
            }
        } catch (DirtyTrackingException | RuntimeException | Error e) {
            for (DirtyTracker tracker : started) {
                stop(tracker, e);
            }
            throw e;
        }
        return granted;
    }

    /** Collects from all of them; the reasons of those that could not report are joined. */
    @Override
    public Collected collect(AddressRange range, DirtyBitmap into) throws DirtyTrackingException {
        Collected collected = Collected.REPORTED;
        for (DirtyTracker tracker : trackers) {
            collected = collected.and(tracker.collect(range, into));
        }
        return collected;
    }

    /** Stops all of them, also when one of them fails. */
    @Override
    public void stop() throws DirtyTrackingException {
        DirtyTrackingException failure = null;
        for (DirtyTracker tracker : trackers) {
            try {
                tracker.stop();
            } catch (DirtyTrackingException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    @Override
    public void close() {
        trackers.forEach(DirtyTracker::close);
    }

    private static void stop(DirtyTracker tracker, Throwable because) {
        try {
            tracker.stop();
        } catch (DirtyTrackingException e) {
            because.addSuppressed(e);
        }
    }
}
