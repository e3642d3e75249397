// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.testing.Seed;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockBitmapTest {
    private static final int BLOCKS = 1000;
    private static final int GRANULARITY = 512;

    private static void assertSame(BlockBitmap bits, BitSet model, Seed seed) {
        BitSet marked = new BitSet();
        long next = bits.nextMarked(0);
        while (next < bits.blocks()) {
            marked.set((int) next);
            assertThat(bits.isMarked(next)).isTrue();
            next = bits.nextMarked(next + 1);
        }
        assertThat(marked).as(seed.toString()).isEqualTo(model);
        assertThat(bits.markedBlocks()).as(seed.toString()).isEqualTo(model.cardinality());
    }

    @Test
    void shouldMarkWhatAWriteTouches() {
        Seed seed = new Seed();
        Random random = seed.random();
        BlockBitmap bits = new BlockBitmap((long) BLOCKS * GRANULARITY - 100, GRANULARITY);
        BitSet model = new BitSet();
        for (int i = 0; i < 2000; i++) {
            int offset = random.nextInt((int) bits.length());
            int count = random.nextInt((int) Math.min(bits.length() - offset + 1, 100_000));
            int first = offset / GRANULARITY;
            int end = count == 0 ? first : (offset + count - 1) / GRANULARITY + 1;
            if (random.nextInt(3) > 0) {
                bits.mark(offset, count);
                model.set(first, end);
            } else if (end > first) {
                bits.unmark(first, end);
                model.clear(first, end);
            }
            assertSame(bits, model, seed);
            assertThat(bits.nextUnmarked(first)).isEqualTo(Math.min(BLOCKS, model.nextClearBit(first)));
        }
        bits.markAll();
        assertThat(bits.markedBlocks()).isEqualTo(BLOCKS);
        bits.clear();
        assertThat(bits.nextMarked(0)).isEqualTo(BLOCKS);
    }

    @Test
    void shouldLoseNoMarkWhenManyMarkAndOneTakesThemAway() throws InterruptedException {
        BlockBitmap bits = new BlockBitmap((long) BLOCKS * GRANULARITY, GRANULARITY);
        List<Thread> writers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            int own = i;
            writers.add(new Thread(() -> {
                // Blocks of one word, turn by turn: each is marked once.
                for (int block = own; block < BLOCKS; block += 4) {
                    bits.mark((long) block * GRANULARITY, 1);
                }
            }));
        }
        writers.forEach(Thread::start);
        BitSet taken = new BitSet();
        while (writers.stream().anyMatch(Thread::isAlive) || bits.nextMarked(0) < BLOCKS) {
            long from = bits.nextMarked(0);
            if (from < BLOCKS) {
                long end = bits.nextUnmarked(from);
                bits.unmark(from, end);
                taken.set((int) from, (int) end);
            }
        }

        assertThat(taken.cardinality()).isEqualTo(BLOCKS);
        assertThat(bits.markedBlocks()).isZero();
    }

    @Test
    void shouldRefuseWhatLiesBeyondTheDisk() {
        BlockBitmap bits = new BlockBitmap(1000, 512);

        bits.mark(1000, 0);
        assertThat(bits.markedBlocks()).isZero();
        assertThatThrownBy(() -> bits.mark(999, 2)).hasMessage("2 bytes at 999 of a disk of 1000");
        assertThatThrownBy(() -> bits.mark(-1, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> bits.mark(0, Long.MAX_VALUE)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> bits.mark(0, -1)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void shouldRefuseSizesThatItCannotHave() {
        assertThatThrownBy(() -> new BlockBitmap(0, 512)).hasMessage("a disk of 0 bytes");
        assertThatThrownBy(() -> new BlockBitmap(1000, 256)).hasMessageEndingWith("not 256");
        assertThatThrownBy(() -> new BlockBitmap(1000, 1000)).hasMessageEndingWith("not 1000");
        assertThatThrownBy(() -> new BlockBitmap(Long.MAX_VALUE, 512))
                .hasMessageContaining("at most 2147483648 blocks");
    }
}
