// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.util.Locale;

/** Numbers as a person reads them. The same on every host, whatever its language. */
final class Format {
    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final double NANOS_PER_SECOND = 1e9;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final long NANOS_PER_MICRO = 1_000;
    private static final long LEAST_FOR_RATE = 64 << 10;

    private Format() {}

    /** Three digits that count, such as {@code 1.17 GiB}. */
    static String bytes(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        double value = bytes;
        int unit = -1;
        // 1023.5 would be shown as "1024".
        while (value >= 1023.5) {
            value /= 1024;
            unit++;
        }
        int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
        return String.format(Locale.ROOT, "%." + decimals + "f %s", value, UNITS[unit]);
    }

    /** Such as {@code 970 MiB/s}. */
    static String rate(long bytesPerSecond) {
        return bytes(bytesPerSecond) + "/s";
    }

    /** Such as {@code 970 MiB/s}; a dash where so little went that its time says nothing of a rate. */
    static String rate(long bytes, long nanos) {
        return bytes < LEAST_FOR_RATE || nanos <= 0 ? "-" : rate(perSecond(bytes, nanos));
    }

    static long perSecond(long bytes, long nanos) {
        return nanos <= 0 ? 0 : (long) (bytes * NANOS_PER_SECOND / nanos);
    }

    /** Microseconds, rounded: what times of a table are rounded to before they are added up. */
    static long micros(long nanos) {
        return (nanos + NANOS_PER_MICRO / 2) / NANOS_PER_MICRO;
    }

    /** Such as {@code 23.112 ms}. */
    static String millisOfMicros(long micros) {
        return String.format(Locale.ROOT, "%d.%03d ms", micros / 1000, micros % 1000);
    }

    /** Milliseconds below a second, seconds above. */
    static String time(long nanos) {
        return nanos < NANOS_PER_SECOND
                ? millisOfMicros(micros(nanos))
                : String.format(Locale.ROOT, "%.3f s", nanos / NANOS_PER_SECOND);
    }

    /** A prediction: no more digits than it is worth. */
    static String roughTime(long nanos) {
        double millis = nanos / NANOS_PER_MILLI;
        if (millis < 10) {
            return String.format(Locale.ROOT, "%.1f ms", millis);
        }
        return millis < 10_000
                ? String.format(Locale.ROOT, "%.0f ms", millis)
                : String.format(Locale.ROOT, "%.0f s", millis / 1000);
    }
}
