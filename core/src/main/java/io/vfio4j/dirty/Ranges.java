// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** What is done with many ranges. */
final class Ranges {
    private Ranges() {}

    /**
     * Joins neighbours, the nearest first, until no more than so many are left. What lies between joined ranges then
     * belongs to them, too.
     *
     * @param sorted the ranges, sorted and without overlaps
     * @param most how many may be left, at least 1
     */
    static List<AddressRange> fold(List<AddressRange> sorted, int most) {
        if (sorted.size() <= most) {
            return sorted;
        }
        Set<Integer> joined = new HashSet<>(IntStream.range(1, sorted.size())
                .boxed()
                .sorted(Comparator.comparing(
                        i -> sorted.get(i).start() - sorted.get(i - 1).last(), Long::compareUnsigned))
                .limit(sorted.size() - most)
                .toList());
        List<AddressRange> folded = new ArrayList<>();
        for (int i = 0; i < sorted.size(); i++) {
            if (joined.contains(i)) {
                long start = folded.removeLast().start();
                folded.add(new AddressRange(start, sorted.get(i).last() - start + 1));
            } else {
                folded.add(sorted.get(i));
            }
        }
        return folded;
    }

    /** Tells whether each address of a range is in one of several others, which may overlap. */
    static boolean cover(List<AddressRange> others, AddressRange range) {
        long next = range.start();
        for (AddressRange other : others.stream().sorted().toList()) {
            if (Long.compareUnsigned(other.start(), next) > 0) {
                return false;
            }
            if (Long.compareUnsigned(other.last(), range.last()) >= 0) {
                return true;
            }
            if (Long.compareUnsigned(other.last(), next) >= 0) {
                next = other.last() + 1;
            }
        }
        return false;
    }
}
