// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.vfio4j.testing.Seed;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bitmap against a plain {@link BitSet}. */
class DirtyBitmapTest {
    private static final Seed SEED = new Seed();
    private static final int ROUNDS = 300;

    private final Arena arena = Arena.ofConfined();

    @AfterEach
    void close() {
        arena.close();
    }

    /** A bitmap, and what must be in it: a bit per page. */
    private static final class Model {
        final DirtyBitmap bitmap;
        final AddressRange range;
        final long pageSize;
        final BitSet expected = new BitSet();

        Model(Arena arena, AddressRange range, long pageSize) {
            this.bitmap = new DirtyBitmap(arena, range, pageSize);
            this.range = range;
            this.pageSize = pageSize;
        }

        /** The pages that a range touches, one address after the other. */
        void set(AddressRange part, boolean dirty) {
            for (int page = 0; page < pageCount(); page++) {
                if (part.overlaps(page(page))) {
                    expected.set(page, dirty);
                }
            }
        }

        int pageCount() {
            return (int) ((range.length() + pageSize - 1) / pageSize);
        }

        /** What of a page lies in the range. */
        AddressRange page(int page) {
            long offset = page * pageSize;
            return new AddressRange(range.start() + offset, Math.min(pageSize, range.length() - offset));
        }

        List<AddressRange> expectedRuns() {
            List<AddressRange> runs = new ArrayList<>();
            for (int begin = expected.nextSetBit(0); begin >= 0; ) {
                int end = expected.nextClearBit(begin);
                runs.add(new AddressRange(range.start() + begin * pageSize, (end - begin) * pageSize));
                begin = expected.nextSetBit(end);
            }
            return runs;
        }

        void check() {
            long[] words = bitmap.memory().toArray(ValueLayout.JAVA_LONG);
            assertThat(words).as("%s", SEED).hasSize((pageCount() + 63) / 64);
            assertThat(BitSet.valueOf(words)).as("%s", SEED).isEqualTo(expected);
            assertThat(bitmap.dirtyPages()).as("%s", SEED).isEqualTo(expected.cardinality());
            assertThat(bitmap.isEmpty()).as("%s", SEED).isEqualTo(expected.isEmpty());
            assertThat(runs(bitmap)).as("%s", SEED).isEqualTo(expectedRuns());
            for (int page = 0; page < pageCount(); page++) {
                assertThat(bitmap.isDirty(page)).as("%s", SEED).isEqualTo(expected.get(page));
                int dirty = expected.nextSetBit(page);
                assertThat(bitmap.nextDirty(page)).as("%s", SEED).isEqualTo(dirty < 0 ? pageCount() : dirty);
                assertThat(bitmap.nextClean(page))
                        .as("%s", SEED)
                        .isEqualTo(Math.min(pageCount(), expected.nextClearBit(page)));
            }
        }
    }

    private Model random(Random random, AddressRange range, long pageSize) {
        Model model = new Model(arena, range, pageSize);
        int marks = random.nextInt(8);
        for (int i = 0; i < marks; i++) {
            AddressRange part = part(random, range);
            model.bitmap.mark(part);
            model.set(part, true);
        }
        return model;
    }

    /** A range that touches another one: within it, beyond one end, or beyond both. */
    private static AddressRange part(Random random, AddressRange range) {
        long start = range.start() + random.nextLong(range.length());
        long most = random.nextBoolean() ? range.length() : 3 * PAGE;
        long length = 1 + random.nextLong(most);
        long before = random.nextInt(4) == 0 ? random.nextInt(100_000) : 0;
        return new AddressRange(start - before, length);
    }

    private static AddressRange range(Random random, long pageSize) {
        long base = random.nextBoolean() ? 1L << 32 : -1L << 28;
        long start = base + random.nextInt(70) * pageSize;
        long length = (1 + random.nextInt(300)) * pageSize - (random.nextBoolean() ? 0 : random.nextLong(pageSize));
        return new AddressRange(start, length);
    }

    @Test
    void shouldMarkAndClearAsAPlainBitSetDoes() {
        Random random = SEED.random();
        for (int round = 0; round < ROUNDS; round++) {
            long pageSize = PAGE << random.nextInt(5);
            Model model = random(random, range(random, pageSize), pageSize);
            model.check();
            AddressRange part = part(random, model.range);
            model.bitmap.clear(part);
            model.set(part, false);
            model.check();
        }
    }

    @Test
    void shouldAddAnotherWithEqualOrOtherPagesAndAnywhere() {
        Random random = SEED.random();
        for (int round = 0; round < ROUNDS; round++) {
            long pageSize = PAGE << random.nextInt(5);
            Model model = random(random, range(random, pageSize), pageSize);
            long otherSize = random.nextBoolean() ? pageSize : PAGE << random.nextInt(5);
            long shift = random.nextInt(3) == 0 ? 0 : (random.nextInt(200) - 100) * pageSize;
            long otherStart = (model.range.start() + shift) & -otherSize;
            Model other = random(
                    random,
                    new AddressRange(otherStart, range(random, otherSize).length()),
                    otherSize);

            model.bitmap.or(other.bitmap);

            for (int page = 0; page < other.pageCount(); page++) {
                if (other.expected.get(page)) {
                    model.set(other.page(page), true);
                }
            }
            model.check();
            other.check();
        }
    }

    @Test
    void shouldMoveAPartToAnotherAndForgetItHere() {
        Random random = SEED.random();
        for (int round = 0; round < ROUNDS; round++) {
            AddressRange all = range(random, PAGE);
            AddressRange whole = new AddressRange(all.start(), (all.length() + PAGE - 1) / PAGE * PAGE);
            Model model = random(random, whole, PAGE);
            long first = random.nextInt(model.pageCount());
            AddressRange part = pages(whole.start(), first, 1 + random.nextLong(model.pageCount() - first));
            long targetSize = PAGE << random.nextInt(5);
            long targetStart = (whole.start() - random.nextInt(50) * PAGE) & -targetSize;
            Model target = random(random, new AddressRange(targetStart, whole.length() + 50 * PAGE), targetSize);

            model.bitmap.moveTo(part, target.bitmap);

            for (int page = 0; page < model.pageCount(); page++) {
                if (part.contains(model.page(page)) && model.expected.get(page)) {
                    target.set(model.page(page), true);
                }
            }
            model.set(part, false);
            model.check();
            target.check();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 63, 64, 65, 127, 128, 129, 256})
    void shouldKeepToItsPages(int count) {
        Model model = new Model(arena, pages(1L << 40, 0, count), PAGE);
        model.check();
        for (int page : new int[] {0, count - 1, count / 2}) {
            model.bitmap.mark(model.page(page));
            model.expected.set(page);
            model.check();
        }
        model.bitmap.mark(pages(0, 0, 1L << 50));
        model.expected.set(0, count);
        model.check();
        assertThat(runs(model.bitmap)).containsExactly(model.range);
        model.bitmap.clear(model.page(count / 2));
        model.expected.clear(count / 2);
        model.check();
        model.bitmap.clear();
        model.expected.clear();
        model.check();
    }

    @Test
    void shouldJoinRunsAcrossWords() {
        Model model = new Model(arena, pages(0, 0, 320), PAGE);
        for (int[] run : new int[][] {{0, 1}, {60, 10}, {127, 1}, {128, 1}, {190, 66}, {319, 1}}) {
            model.bitmap.mark(pages(0, run[0], run[1]));
            model.expected.set(run[0], run[0] + run[1]);
        }
        model.check();
        assertThat(runs(model.bitmap))
                .containsExactly(
                        pages(0, 0, 1), pages(0, 60, 10), pages(0, 127, 2), pages(0, 190, 66), pages(0, 319, 1));
    }

    @Test
    void shouldFindTheRunsOfALongBitmap() {
        Random random = SEED.random();
        for (int run : new int[] {1, 64, 5_000, 40_000}) {
            Model model = new Model(arena, pages(0, 0, 200_001), PAGE);
            for (int i = 0; i < 200_000 / (3 * run); i++) {
                int first = random.nextInt(200_000 - run);
                model.bitmap.mark(pages(0, first, run));
                model.expected.set(first, first + run);
            }
            // The first two blocks of a visit meet here.
            model.bitmap.mark(pages(0, 32_767, 2));
            model.expected.set(32_767, 32_769);
            model.bitmap.mark(model.page(200_000));
            model.expected.set(200_000);
            assertThat(runs(model.bitmap)).as("%s", SEED).isEqualTo(model.expectedRuns());
        }
    }

    @Test
    void shouldCountBitsFromTheRangesStartLowestFirst() {
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(37 * PAGE, 0, 70), PAGE);

        bitmap.mark(pages(37 * PAGE, 0, 1));
        bitmap.mark(pages(37 * PAGE, 9, 1));
        bitmap.mark(pages(37 * PAGE, 69, 1));

        assertThat(bitmap.memory().byteSize()).isEqualTo(16);
        assertThat(bitmap.memory().toArray(ValueLayout.JAVA_BYTE))
                .containsExactly(1, 2, 0, 0, 0, 0, 0, 0, 1 << 5, 0, 0, 0, 0, 0, 0, 0);
    }

    @Test
    void shouldHaveAPageForTheRestOfTheRange() {
        DirtyBitmap bitmap = new DirtyBitmap(arena, new AddressRange(8192, 4097), PAGE);
        assertThat(bitmap.pages()).isEqualTo(2);

        bitmap.mark(new AddressRange(8192 + 4096, 1));

        assertThat(bitmap.isDirty(0)).isFalse();
        assertThat(bitmap.isDirty(1)).isTrue();
        assertThat(runs(bitmap)).as("the last page counts whole").containsExactly(new AddressRange(12_288, PAGE));
        DirtyBitmap fine = new DirtyBitmap(arena, pages(0, 0, 8), 512);
        fine.or(bitmap);
        assertThat(runs(fine)).as("but no more than the range is known").containsExactly(new AddressRange(12_288, 512));
    }

    @Test
    void shouldReachToTheLastAddressOfAll() {
        AddressRange top = new AddressRange(-65 * PAGE, 65 * PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, top, PAGE);

        bitmap.mark(new AddressRange(-1, 1));
        bitmap.mark(new AddressRange(-65 * PAGE, 1));
        assertThat(runs(bitmap)).containsExactly(pages(-65 * PAGE, 0, 1), pages(-65 * PAGE, 64, 1));
        bitmap.mark(new AddressRange(Long.MIN_VALUE, Long.MAX_VALUE));
        assertThat(bitmap.dirtyPages()).isEqualTo(65);
        bitmap.clear(new AddressRange(-PAGE, PAGE));
        assertThat(bitmap.nextClean(0)).isEqualTo(64);

        DirtyBitmap large = new DirtyBitmap(arena, new AddressRange(-64 * PAGE, 64 * PAGE), 16 * PAGE);
        large.or(bitmap);
        assertThat(large.dirtyPages()).isEqualTo(4);
        DirtyBitmap low = new DirtyBitmap(arena, pages(0, 0, 65), PAGE);
        low.or(bitmap);
        assertThat(low.isEmpty()).isTrue();
    }

    @Test
    void shouldLeaveOutWhatLiesOutside() {
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 10, 10), PAGE);

        bitmap.mark(pages(0, 0, 10));
        bitmap.mark(pages(0, 20, 10));
        assertThat(bitmap.isEmpty()).isTrue();
        bitmap.mark(pages(0, 0, 11));
        bitmap.mark(pages(0, 19, 100));
        assertThat(runs(bitmap)).containsExactly(pages(0, 10, 1), pages(0, 19, 1));
        bitmap.clear(pages(0, 20, 1));
        bitmap.clear(pages(0, 0, 10));
        assertThat(bitmap.dirtyPages()).isEqualTo(2);
    }

    @Test
    void shouldRefuseAPageThatIsNone() {
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 65), PAGE);

        for (long page : new long[] {-1, 65, 64 + 64, Long.MIN_VALUE}) {
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> bitmap.isDirty(page))
                    .withMessageContaining(page + " of 65");
        }
        assertThat(bitmap.nextDirty(65)).isEqualTo(65);
        assertThat(bitmap.nextClean(1000)).isEqualTo(65);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, 3, 4097, Long.MIN_VALUE})
    void shouldRefuseAPageSizeThatIsNone(long pageSize) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DirtyBitmap(arena, pages(0, 0, 1), pageSize))
                .withMessageContaining("power of two, not " + pageSize);
    }

    @Test
    void shouldRefuseARangeThatBeginsWithinAPage() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DirtyBitmap(arena, pages(0, 1, 2), 2 * PAGE))
                .withMessageContaining("0x1000-0x2fff does not begin at a multiple of 8192");
    }

    @Test
    void shouldSayWhatItIs() {
        AddressRange range = new AddressRange(1L << 33, 3 * PAGE + 1);
        DirtyBitmap bitmap = new DirtyBitmap(arena, range, 2 * PAGE);

        assertThat(bitmap.range()).isEqualTo(range);
        assertThat(bitmap.pageSize()).isEqualTo(2 * PAGE);
        assertThat(bitmap.pages()).isEqualTo(2);
        assertThat(bitmap.memory().address() % 64).as("a cache line").isZero();
    }
}
