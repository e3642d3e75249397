// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.util.List;
import java.util.Locale;

/** The median of some values, with the least and the greatest. */
record Spread(double median, double min, double max, int count) {
    private static final Spread NOTHING = new Spread(Double.NaN, Double.NaN, Double.NaN, 0);

    /** Of these values; those that are not known do not count. */
    static Spread of(List<Double> values) {
        List<Double> sorted =
                values.stream().filter(value -> !value.isNaN()).sorted().toList();
        if (sorted.isEmpty()) {
            return NOTHING;
        }
        int middle = sorted.size() / 2;
        double median = sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
        return new Spread(median, sorted.getFirst(), sorted.getLast(), sorted.size());
    }

    boolean isKnown() {
        return count > 0;
    }

    /** The median and, of more than one value, the bounds; "-" for nothing. */
    String format(int digits) {
        String number = "%." + digits + "f";
        if (!isKnown()) {
            return "-";
        }
        String text = String.format(Locale.ROOT, number, median);
        return count == 1 ? text : text + String.format(Locale.ROOT, " (" + number + "..." + number + ")", min, max);
    }
}
