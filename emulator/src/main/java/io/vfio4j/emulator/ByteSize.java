// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads and writes sizes such as {@code 64MiB} and rates such as {@code 100MiB/s}. Has no state, for any thread. */
public final class ByteSize {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB"};
    private static final int BITS_PER_UNIT = 10;
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,19})(B|KiB|MiB|GiB)?");
    private static final String PER_SECOND = "/s";

    private ByteSize() {}

    /**
     * Reads a size.
     *
     * @param text a whole number, then {@code B}, {@code KiB}, {@code MiB}, {@code GiB} or nothing (bytes)
     * @return the size in bytes, ≥ 0
     * @throws IllegalArgumentException when it is anything else, or more than 2<sup>63</sup> - 1 bytes
     */
    public static long parse(String text) {
        return parse(text, text, "a size such as 4096, 64KiB, 100MiB or 1GiB");
    }

    /**
     * Reads a rate.
     *
     * @param text a size as in {@link #parse}, then {@code /s}
     * @return the rate in bytes per second, ≥ 0
     * @throws IllegalArgumentException when it is anything else, or more than 2<sup>63</sup> - 1 bytes per second
     */
    public static long parseRate(String text) {
        String expected = "a rate such as 500KiB/s, 100MiB/s or 1GiB/s";
        if (text.equals("0")) {
            return 0;
        }
        if (!text.endsWith(PER_SECOND)) {
            throw new IllegalArgumentException("\"" + text + "\" is not " + expected);
        }
        return parse(text.substring(0, text.length() - PER_SECOND.length()), text, expected);
    }

    /**
     * Writes a size so that {@link #parse} reads the same: in the largest unit that needs no fraction.
     *
     * @param bytes the size in bytes, ≥ 0
     * @return such as {@code 1536MiB}
     */
    public static String format(long bytes) {
        int unit = 0;
        long number = bytes;
        while (number != 0 && unit < UNITS.length - 1 && (number & ((1L << BITS_PER_UNIT) - 1)) == 0) {
            number >>= BITS_PER_UNIT;
            unit++;
        }
        return number + UNITS[unit];
    }

    private static long parse(String size, String text, String expected) {
        Matcher matcher = SIZE.matcher(size);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("\"" + text + "\" is not " + expected);
        }
        int unit = 0;
        String name = matcher.group(2);
        while (name != null && !UNITS[unit].equals(name)) {
            unit++;
        }
        try {
            return Math.multiplyExact(Long.parseLong(matcher.group(1)), 1L << (unit * BITS_PER_UNIT));
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException("\"" + text + "\" is too large", e);
        }
    }
}
