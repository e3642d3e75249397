// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the tests of all sources of dirty pages say. */
final class DirtyPages {
    static final long PAGE = 4096;
    static final long MEBIBYTE = 1 << 20;

    private DirtyPages() {}

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

    /** Collects a range of a source that can report, into an empty bitmap with pages of 4 KiB. */
    static List<AddressRange> collect(DirtyTracker tracker, AddressRange range) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            Assertions.assertThat(tracker.collect(range, bitmap).everythingBecause())
                    .isNull();
            return runs(bitmap);
        }
    }

    /** Collects a range of a source that cannot report: everything is dirty. Returns what it says. */
    static String collectEverything(DirtyTracker tracker, AddressRange range) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            String because = tracker.collect(range, bitmap).everythingBecause();
            Assertions.assertThat(runs(bitmap)).containsExactly(range);
            return String.valueOf(because);
        }
    }

    static AbstractThrowableAssert<?, ? extends Throwable> assertRefused(Problem problem, ThrowingCallable call) {
        AbstractThrowableAssert<?, ? extends Throwable> refusal = assertThatThrownBy(call);
        refusal.asInstanceOf(type(DirtyTrackingException.class))
                .extracting(DirtyTrackingException::problem)
                .isEqualTo(problem);
        return refusal;
    }
}
