// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import java.util.Map;
import java.util.TreeMap;

/** The DMA mappings of one address space, by address for the device. Guarded by its owner. */
final class Mappings {
    private static final long PAGE_MASK = 4095;

    private final TreeMap<Long, Long> lengths = new TreeMap<>();

    static boolean isAligned(long address, long length) {
        return ((address | length) & PAGE_MASK) == 0;
    }

    /** Adds a mapping, unless it would overlap another. */
    boolean add(long iova, long length) {
        Map.Entry<Long, Long> below = lengths.lowerEntry(iova + length);
        if (below != null && below.getKey() + below.getValue() > iova) {
            return false;
        }
        lengths.put(iova, length);
        return true;
    }

    /** Removes the mappings that lie within, and returns their length. */
    long remove(long iova, long length) {
        Map<Long, Long> within = lengths.subMap(iova, iova + length);
        long removed = within.values().stream().mapToLong(Long::longValue).sum();
        within.clear();
        return removed;
    }

    /** Returns the lowest address behind all mappings. */
    long end() {
        return lengths.isEmpty() ? 0 : lengths.lastKey() + lengths.lastEntry().getValue();
    }
}
