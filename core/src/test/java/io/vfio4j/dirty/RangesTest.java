// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.pages;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.testing.Seed;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RangesTest {
    private static final Seed SEED = new Seed();

    @Test
    void shouldLeaveWhatIsFewEnough() {
        List<AddressRange> ranges = List.of(pages(0, 0, 1), pages(0, 4, 2));

        assertThat(Ranges.fold(ranges, 2)).isEqualTo(ranges);
        assertThat(Ranges.fold(ranges, 100)).isEqualTo(ranges);
    }

    @Test
    void shouldJoinTheNearestNeighboursFirst() {
        List<AddressRange> ranges =
                List.of(pages(0, 0, 1), pages(0, 11, 1), pages(0, 14, 1), pages(0, 100, 1), pages(0, 101, 9));

        assertThat(Ranges.fold(ranges, 4))
                .containsExactly(pages(0, 0, 1), pages(0, 11, 1), pages(0, 14, 1), pages(0, 100, 10));
        assertThat(Ranges.fold(ranges, 3)).containsExactly(pages(0, 0, 1), pages(0, 11, 4), pages(0, 100, 10));
        assertThat(Ranges.fold(ranges, 2)).containsExactly(pages(0, 0, 15), pages(0, 100, 10));
        assertThat(Ranges.fold(ranges, 1)).containsExactly(pages(0, 0, 110));
    }

    @Test
    void shouldMeasureDistancesWithoutSignUpToTheLastAddress() {
        AddressRange low = pages(0, 0, 1);
        AddressRange middle = pages(1L << 62, 0, 1);
        AddressRange top = new AddressRange(-PAGE, PAGE);

        // From the middle to the top is three times as far as from the low one to the middle, and negative with a sign.
        assertThat(Ranges.fold(List.of(low, middle, top), 2))
                .containsExactly(new AddressRange(0, (1L << 62) + PAGE), top);
        assertThat(Ranges.fold(List.of(new AddressRange(-8 * PAGE, PAGE), new AddressRange(-3 * PAGE, PAGE), top), 1))
                .containsExactly(new AddressRange(-8 * PAGE, 8 * PAGE));
    }

    @Test
    void shouldCoverAllWithAsFewAsAskedAndAsLittleAsPossible() {
        Random random = SEED.random();
        for (int round = 0; round < 200; round++) {
            List<AddressRange> ranges = new ArrayList<>();
            long page = random.nextInt(10);
            int count = 1 + random.nextInt(40);
            for (int i = 0; i < count; i++) {
                int length = 1 + random.nextInt(9);
                ranges.add(pages(1L << 40, page, length));
                page += length + random.nextInt(50);
            }
            int most = 1 + random.nextInt(count);

            List<AddressRange> folded = Ranges.fold(ranges, most);

            assertThat(folded).as("%s", SEED).hasSize(most).isSorted();
            for (AddressRange range : ranges) {
                assertThat(folded.stream().filter(each -> each.contains(range)))
                        .as("%s", SEED)
                        .hasSize(1);
            }
            for (int i = 1; i < folded.size(); i++) {
                assertThat(folded.get(i - 1).overlaps(folded.get(i)))
                        .as("%s", SEED)
                        .isFalse();
            }
            assertThat(gaps(folded)).as("%s", SEED).isEqualTo(largestGaps(ranges, most - 1));
        }
    }

    private static List<Long> gaps(List<AddressRange> ranges) {
        List<Long> gaps = new ArrayList<>();
        for (int i = 1; i < ranges.size(); i++) {
            gaps.add(ranges.get(i).start() - ranges.get(i - 1).last());
        }
        gaps.sort(Comparator.reverseOrder());
        return gaps;
    }

    private static List<Long> largestGaps(List<AddressRange> ranges, int count) {
        return gaps(ranges).subList(0, count);
    }

    @Test
    void shouldTellWhetherOthersCoverARange() {
        AddressRange range = pages(0, 10, 10);

        assertThat(Ranges.cover(List.of(), range)).isFalse();
        assertThat(Ranges.cover(List.of(range), range)).isTrue();
        assertThat(Ranges.cover(List.of(pages(0, 15, 9), pages(0, 0, 15)), range))
                .isTrue();
        assertThat(Ranges.cover(List.of(pages(0, 16, 9), pages(0, 0, 15)), range))
                .isFalse();
        assertThat(Ranges.cover(List.of(pages(0, 0, 19)), range)).isFalse();
        assertThat(Ranges.cover(List.of(pages(0, 11, 19)), range)).isFalse();
        assertThat(Ranges.cover(List.of(pages(0, 10, 10), pages(0, 10, 5), pages(0, 12, 2)), range))
                .as("the same addresses twice")
                .isTrue();
        assertThat(Ranges.cover(List.of(pages(0, 10, 6), pages(0, 10, 6), pages(0, 12, 2)), range))
                .as("enough bytes, but not the right ones")
                .isFalse();
        AddressRange top = new AddressRange(-2 * PAGE, 2 * PAGE);
        assertThat(Ranges.cover(List.of(new AddressRange(-PAGE, PAGE), new AddressRange(-2 * PAGE, PAGE)), top))
                .isTrue();
        assertThat(Ranges.cover(List.of(new AddressRange(-2 * PAGE, PAGE)), top))
                .isFalse();
    }
}
