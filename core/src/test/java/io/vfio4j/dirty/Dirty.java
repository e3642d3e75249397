// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.dirty.DirtyTrackingException.Problem;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.AbstractStringAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the tests of dirty pages say often. */
final class Dirty {
    static final long PAGE = 4096;

    private Dirty() {}

    /** So many pages from one on, counted from an address. */
    static AddressRange pages(long base, long first, long count) {
        return new AddressRange(base + first * PAGE, count * PAGE);
    }

    /** The runs of dirty pages. */
    static List<AddressRange> runs(DirtyBitmap bitmap) {
        List<AddressRange> runs = new ArrayList<>();
        bitmap.forEachRun((address, length) -> runs.add(new AddressRange(address, length)));
        return runs;
    }

    /** Collects a range from a source that can report, into an empty bitmap with pages of 4 KiB. */
    static List<AddressRange> collect(DirtyTracker tracker, AddressRange range) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            assertThat(tracker.collect(range, bitmap)).isEqualTo(Collected.REPORTED);
            return runs(bitmap);
        }
    }

    /** Collects a range from a source that cannot report, and returns why it cannot. */
    static String collectEverything(DirtyTracker tracker, AddressRange range) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            Collected collected = tracker.collect(range, bitmap);
            assertThat(collected.reported()).isFalse();
            assertThat(runs(bitmap)).containsExactly(range);
            return String.valueOf(collected.everythingBecause());
        }
    }

    /** Expects a refusal of a kind, and returns its message. */
    static AbstractStringAssert<?> assertRefused(Problem problem, ThrowingCallable call) {
        DirtyTrackingException refusal = catchThrowableOfType(DirtyTrackingException.class, call);
        assertThat(refusal).isNotNull();
        assertThat(refusal.problem()).as("%s", refusal.getMessage()).isEqualTo(problem);
        return assertThat(refusal.getMessage());
    }

    /** The memory that a struct points to. */
    // SAFETY: the tests call it with addresses and lengths that the code under test has handed to its kernel.
    @SuppressWarnings("restricted")
    static MemorySegment at(long address, long length) {
        return MemorySegment.ofAddress(address).reinterpret(length);
    }

    /** Sets bits as the kernel does: bit k for the k-th page from the request's own begin, none is cleared. */
    static void setBits(long bitmap, AddressRange request, long pageSize, AddressRange written) {
        if (!request.overlaps(written)) {
            return;
        }
        AddressRange part = request.intersect(written);
        long first = (part.start() - request.start()) / pageSize;
        long last = (part.last() - request.start()) / pageSize;
        MemorySegment bytes = at(bitmap, ((request.length() - 1) / pageSize + 8) / 8);
        for (long bit = first; bit <= last; bit++) {
            int old = bytes.get(ValueLayout.JAVA_BYTE, bit / 8);
            bytes.set(ValueLayout.JAVA_BYTE, bit / 8, (byte) (old | 1 << bit % 8));
        }
    }
}
