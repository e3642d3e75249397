// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the tests of all sources of dirty pages say, against scripts, on this host and in the lab. */
public final class DirtyPages {
    /** The kernel's page, in bytes. */
    public static final long PAGE = 4096;

    /** In bytes. */
    public static final long MEBIBYTE = 1 << 20;

    private DirtyPages() {}

    /**
     * So many pages from one on, counted from an address.
     *
     * @param base the address
     * @param first the first page's number
     * @param count how many
     * @return the range
     */
    public static AddressRange pages(long base, long first, long count) {
        return new AddressRange(base + first * PAGE, count * PAGE);
    }

    /**
     * The runs of dirty pages.
     *
     * @param bitmap a bitmap
     * @return the runs, in order
     */
    public static List<AddressRange> runs(DirtyBitmap bitmap) {
        List<AddressRange> runs = new ArrayList<>();
        bitmap.forEachRun((address, length) -> runs.add(new AddressRange(address, length)));
        return runs;
    }

    /**
     * Collects a range from a source that can report, into an empty bitmap with pages of 4 KiB.
     *
     * @param tracker the source
     * @param range the range
     * @return the runs of dirty pages
     * @throws IOException when it refuses
     */
    public static List<AddressRange> collect(DirtyTracker tracker, AddressRange range) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            assertThat(tracker.collect(range, bitmap)).isEqualTo(Collected.REPORTED);
            return runs(bitmap);
        }
    }

    /**
     * Collects a range from a source that cannot report: everything is dirty.
     *
     * @param tracker the source
     * @param range the range
     * @return why it cannot
     * @throws IOException when it refuses
     */
    public static String collectEverything(DirtyTracker tracker, AddressRange range) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            Collected collected = tracker.collect(range, bitmap);
            assertThat(collected.reported()).isFalse();
            assertThat(runs(bitmap)).containsExactly(range);
            return String.valueOf(collected.everythingBecause());
        }
    }

    /**
     * Expects a refusal of a kind.
     *
     * @param problem the kind
     * @param call what is refused
     * @return the refusal, for more assertions
     */
    public static AbstractThrowableAssert<?, ? extends Throwable> assertRefused(
            Problem problem, ThrowingCallable call) {
        AbstractThrowableAssert<?, ? extends Throwable> refusal = assertThatThrownBy(call);
        refusal.asInstanceOf(type(DirtyTrackingException.class))
                .extracting(DirtyTrackingException::problem)
                .isEqualTo(problem);
        return refusal;
    }
}
