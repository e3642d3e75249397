// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.util.stream.LongStream;

/**
 * The middle and the ends of some values.
 *
 * @param min the smallest
 * @param median the one in the middle; of an even number of values, the mean of the two there
 * @param max the largest
 */
public record Spread(long min, long median, long max) {

    /**
     * Looks at values.
     *
     * @param values at least one
     * @return their spread
     */
    public static Spread of(LongStream values) {
        long[] sorted = values.sorted().toArray();
        int middle = sorted.length / 2;
        long median = sorted.length % 2 == 1
                ? sorted[middle]
                : sorted[middle - 1] + (sorted[middle] - sorted[middle - 1]) / 2;
        return new Spread(sorted[0], median, sorted[sorted.length - 1]);
    }
}
