// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.DirtyTrackingException.Problem;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * A tracker that is asked by other addresses than its own, so that it can be united with those that know the others:
 * one that watches this process's addresses beside KVM's log of the guest's.
 */
public final class TranslatedTracker implements DirtyTracker {
    /**
     * The same memory by two addresses.
     *
     * @param range where it lies for those who ask, in multiples of 4 KiB
     * @param address where it begins for the tracker, a multiple of 4 KiB
     */
    public record Mapping(AddressRange range, long address) {
        private AddressRange translated(AddressRange part) {
            return new AddressRange(part.start() - range.start() + address, part.length());
        }
    }

    /** A mapping that is watched, and what was collected of it by the tracker's addresses. */
    private record Watched(Mapping mapping, AddressRange range, DirtyBitmap bitmap) {}

    private final DirtyTracker tracker;
    private final List<Mapping> mappings;
    private List<Watched> watched = List.of();

    /**
     * Puts other addresses before a tracker that does not watch yet.
     *
     * @param tracker the tracker; it belongs to this one from here on
     * @param mappings what its addresses are for those who ask, without overlaps
     */
    public TranslatedTracker(DirtyTracker tracker, List<Mapping> mappings) {
        this.tracker = tracker;
        this.mappings = List.copyOf(mappings);
    }

    @Override
    public Capability capability() {
        return tracker.capability();
    }

    @Override
    public long start(List<AddressRange> ranges, long pageSizeHint) throws DirtyTrackingException {
        List<Watched> starting = new ArrayList<>();
        List<AddressRange> translated = new ArrayList<>();
        for (AddressRange range : ranges) {
            Mapping mapping = mappings.stream()
                    .filter(each -> each.range.contains(range))
                    .findFirst()
                    .orElseThrow(() -> new DirtyTrackingException(
                            Problem.BAD_RANGE,
                            capability().source(),
                            "the range " + range + " has no address here; map it"));
            AddressRange there = mapping.translated(range);
            translated.add(there);
            starting.add(
                    new Watched(mapping, range, new DirtyBitmap(Arena.ofAuto(), there, RangeTracker.SMALLEST_PAGE)));
        }
        long granted = tracker.start(translated, pageSizeHint);
        watched = starting;
        return granted;
    }

    @Override
    public Collected collect(AddressRange range, DirtyBitmap into) throws DirtyTrackingException {
        requireWatched(range, into);
        Collected collected = Collected.REPORTED;
        for (Watched each : watched) {
            if (each.range.overlaps(range)) {
                AddressRange part = each.range.intersect(range);
                AddressRange there = each.mapping.translated(part);
                collected = collected.and(tracker.collect(there, each.bitmap));
                each.bitmap.forEachRun((address, length) -> into.mark(
                        new AddressRange(address - each.mapping.address + each.mapping.range.start(), length)));
                each.bitmap.clear(there);
            }
        }
        return collected;
    }

    private void requireWatched(AddressRange range, DirtyBitmap into) throws DirtyTrackingException {
        if (watched.isEmpty()) {
            throw new DirtyTrackingException(
                    Problem.NOT_STARTED, capability().source(), "it does not watch; start it first");
        }
        long here = watched.stream()
                .filter(each -> each.range.overlaps(range))
                .mapToLong(each -> each.range.intersect(range).length())
                .sum();
        if (here != range.length() || !into.range().contains(range)) {
            throw new DirtyTrackingException(
                    Problem.BAD_RANGE,
                    capability().source(),
                    "not all of " + range + " is watched and within the bitmap's " + into.range());
        }
    }

    @Override
    public void stop() throws DirtyTrackingException {
        watched = List.of();
        tracker.stop();
    }

    @Override
    public void close() {
        watched = List.of();
        tracker.close();
    }
}
