// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.cli.bench.CopyReport.Moved;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * How fast state moves with one chunk size, over some copies. In bytes per second; 0 where it is not known.
 *
 * @param chunkBytes how much was read at once
 * @param copies how many copies there were
 * @param read how fast the device was read
 * @param write how fast the peer was written; all 0 without one
 * @param both how fast one thread does both
 */
public record ChunkRates(int chunkBytes, int copies, Spread read, Spread write, Spread both) {

    /**
     * Sums copies up by their chunk sizes.
     *
     * @param copies the copies
     * @return the rates, in the order in which the chunk sizes first come
     */
    public static List<ChunkRates> of(List<CopyReport> copies) {
        Map<Integer, List<Moved>> bySize = new LinkedHashMap<>();
        for (CopyReport copy : copies) {
            bySize.computeIfAbsent(copy.chunkBytes(), first -> new ArrayList<>())
                    .add(copy.most());
        }
        return bySize.entrySet().stream()
                .map(size -> new ChunkRates(
                        size.getKey(),
                        size.getValue().size(),
                        spread(size.getValue(), Moved::readRate),
                        spread(size.getValue(), Moved::writeRate),
                        spread(size.getValue(), Moved::rate)))
                .toList();
    }

    private static Spread spread(List<Moved> moved, ToLongFunction<Moved> rate) {
        return Spread.of(moved.stream().mapToLong(rate));
    }
}
