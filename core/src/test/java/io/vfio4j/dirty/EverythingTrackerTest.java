// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.assertRefused;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tracker that needs no kernel, and through it what all trackers check. */
class EverythingTrackerTest {
    private final Arena arena = Arena.ofConfined();
    private final EverythingTracker tracker = new EverythingTracker();

    @AfterEach
    void close() {
        tracker.close();
        arena.close();
    }

    @Test
    void shouldCallEverythingDirtyEachTimeAndSaySo() throws Exception {
        assertThat(tracker.start(List.of(pages(0, 0, 10)), 2 * PAGE)).isEqualTo(2 * PAGE);

        for (int i = 0; i < 2; i++) {
            assertThat(collectEverything(tracker, pages(0, 2, 4))).contains("nothing watches this memory");
        }
        assertThat(tracker.capability().sees()).containsExactlyInAnyOrder(Writer.values());
        assertThat(tracker.capability().reportsTooMuch()).isTrue();
    }

    @Test
    void shouldKeepToStartAndStop() throws Exception {
        AddressRange range = pages(0, 0, 10);
        DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(range, bitmap))
                .isEqualTo("everything: it does not watch; start it first");
        tracker.stop();
        tracker.start(List.of(range), PAGE);
        assertRefused(Problem.BUSY, () -> tracker.start(List.of(range), PAGE))
                .isEqualTo("everything: it watches already; stop it first");
        tracker.stop();
        tracker.stop();
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(range, bitmap)).contains("start it first");
        assertThat(bitmap.isEmpty()).isTrue();
        tracker.start(List.of(range), PAGE);
        tracker.close();
        tracker.close();
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(range, bitmap)).contains("start it first");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -4096, 4095, 12_288, Long.MIN_VALUE})
    void shouldRefuseAPageSizeThatIsNone(long hint) {
        assertRefused(Problem.BAD_PAGE_SIZE, () -> tracker.start(List.of(pages(0, 0, 1)), hint))
                .contains("power of two, not " + hint);
    }

    @Test
    void shouldRefuseRangesThatAreNone() throws Exception {
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(), PAGE)).contains("name at least one");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(new AddressRange(512, PAGE)), 512))
                .contains("0x200-0x11ff is no multiple of 4096 bytes; align it");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(new AddressRange(0, PAGE + 1)), PAGE))
                .contains("no multiple of 4096");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(pages(0, 0, 3)), 2 * PAGE))
                .contains("no multiple of 8192 bytes; align it, or ask for smaller pages");
        assertRefused(
                        Problem.BAD_RANGE,
                        () -> tracker.start(List.of(pages(0, 20, 2), pages(0, 0, 1), pages(0, 21, 5)), PAGE))
                .contains("0x14000-0x15fff and 0x15000-0x19fff overlap");

        assertThat(tracker.start(List.of(new AddressRange(-PAGE, PAGE), pages(0, 1, 1), pages(0, 0, 1)), 1))
                .as("nothing is finer than 4 KiB")
                .isEqualTo(PAGE);
    }

    @Test
    void shouldRefuseToCollectWhatIsNotWatchedOrNotInTheBitmap() throws Exception {
        tracker.start(List.of(pages(0, 8, 8), pages(0, 16, 8), pages(0, 40, 8)), PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 44), PAGE);

        for (AddressRange range : List.of(
                pages(0, 0, 8), pages(0, 7, 2), pages(0, 8, 17), pages(0, 20, 24), pages(0, 39, 2), pages(0, 30, 1))) {
            assertRefused(Problem.BAD_RANGE, () -> tracker.collect(range, bitmap))
                    .contains("not all of " + range + " is watched; start it with that range");
        }
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(pages(0, 40, 5), bitmap))
                .contains("is not made of pages of the bitmap for 0x0-0x2bfff by 4096 bytes");
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(new AddressRange(8 * PAGE, 100), bitmap))
                .contains("is not made of pages");
        DirtyBitmap fine = new DirtyBitmap(arena, pages(0, 0, 44), 512);
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(new AddressRange(8 * PAGE, 512), fine))
                .contains("no multiple of 4096 bytes; align it");
        assertThat(bitmap.isEmpty()).isTrue();
        assertThat(fine.isEmpty()).isTrue();

        assertThat(tracker.collect(pages(0, 10, 10), bitmap).reported()).isFalse();
        assertThat(runs(bitmap)).as("ranges that touch").containsExactly(pages(0, 10, 10));
    }

    /** Where a page is larger than what is collected of it, the rest of it would be forgotten. */
    @Test
    void shouldRefuseToCollectPartsOfThePagesThatItWatchesBy() throws Exception {
        tracker.start(List.of(pages(0, 0, 8), pages(0, 16, 4)), 4 * PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 32), PAGE);

        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(pages(0, 0, 2), bitmap))
                .contains("0x0-0x1fff is not made of pages of 16384 bytes, which it watches by; collect whole ones");
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(pages(0, 5, 3), bitmap))
                .contains("collect whole ones");
        assertThat(tracker.collect(pages(0, 4, 4), bitmap).reported()).isFalse();
        assertThat(tracker.collect(pages(0, 16, 4), bitmap).reported()).isFalse();
        assertThat(runs(bitmap)).containsExactly(pages(0, 4, 4), pages(0, 16, 4));
    }
}
