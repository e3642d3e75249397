// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.cli.bench.CopyReport.Moved;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChunkRatesTest {
    private static final long MIB = 1 << 20;
    private static final long SECOND = 1_000_000_000;
    private static final Moved NOTHING = new Moved(0, 0, 0);

    private static CopyReport copy(int chunk, Moved preCopy, Moved stopCopy) {
        return new CopyReport(chunk, preCopy, stopCopy, 0, 0, 0, 0, new Timeline(0));
    }

    @Test
    void shouldSumUpTheCopiesOfEachSizeInTheirOrder() {
        List<ChunkRates> rates = ChunkRates.of(List.of(
                copy(4096, new Moved(100 * MIB, SECOND, SECOND), NOTHING),
                copy(1 << 20, new Moved(300 * MIB, SECOND, SECOND / 2), NOTHING),
                copy(4096, new Moved(200 * MIB, SECOND, SECOND), NOTHING),
                copy(4096, new Moved(500 * MIB, SECOND, SECOND), NOTHING)));

        assertThat(rates).hasSize(2);
        assertThat(rates.getFirst())
                .isEqualTo(new ChunkRates(
                        4096,
                        3,
                        new Spread(100 * MIB, 200 * MIB, 500 * MIB),
                        new Spread(100 * MIB, 200 * MIB, 500 * MIB),
                        new Spread(50 * MIB, 100 * MIB, 250 * MIB)));
        assertThat(rates.getLast().chunkBytes()).isEqualTo(1 << 20);
        assertThat(rates.getLast().write().median()).isEqualTo(600 * MIB);
        assertThat(rates.getLast().both().median()).isEqualTo(200 * MIB);
    }

    @Test
    void shouldLookAtWhereMostOfTheStateWent() {
        Moved little = new Moved(4 * MIB, SECOND, 0);
        Moved much = new Moved(40 * MIB, SECOND, 0);

        assertThat(copy(4096, little, much).most()).isEqualTo(much);
        assertThat(copy(4096, much, little).most()).isEqualTo(much);
        assertThat(ChunkRates.of(List.of(copy(4096, little, much))).getFirst().write())
                .isEqualTo(new Spread(0, 0, 0));
    }
}
