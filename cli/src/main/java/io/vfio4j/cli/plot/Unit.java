// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

/**
 * What the numbers of an axis count.
 *
 * @param name such as {@code ms}
 * @param size how many of the basic unit it is
 */
public record Unit(String name, double size) {
    private static final double KIBI = 1024;
    private static final double KILO = 1000;
    private static final String[] BYTES = {"B", "KiB", "MiB", "GiB", "TiB"};
    private static final String[] TIMES = {"ns", "µs", "ms", "s"};

    /** Nothing in particular. */
    public static final Unit ONE = new Unit("", 1);

    /**
     * Returns the unit that times up to a longest one are best shown in.
     *
     * @param longest nanoseconds
     * @return ns, µs, ms or s
     */
    public static Unit ofNanos(double longest) {
        return largest(longest, KILO, TIMES, "");
    }

    /**
     * Returns the unit that sizes up to a largest one are best shown in.
     *
     * @param largest bytes
     * @return B to TiB
     */
    public static Unit ofBytes(double largest) {
        return largest(largest, KIBI, BYTES, "");
    }

    /**
     * Returns the unit that rates up to a fastest one are best shown in.
     *
     * @param fastest bytes per second
     * @return B/s to TiB/s
     */
    public static Unit ofRate(double fastest) {
        return largest(fastest, KIBI, BYTES, "/s");
    }

    private static Unit largest(double value, double step, String[] names, String suffix) {
        int index = 0;
        double size = 1;
        while (index < names.length - 1 && value >= size * step) {
            size *= step;
            index++;
        }
        return new Unit(names[index] + suffix, size);
    }
}
