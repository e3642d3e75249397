// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import java.util.HashSet;
import java.util.Set;

/**
 * Says what an emulated device is like: its size, how fast its state changes, and which parts of the protocol it has.
 *
 * <p>Its text form is {@code emulated:size=1GiB,dirty=100MiB/s,…}; {@link #parse} reads it and {@link #toString} writes
 * it. Immutable, for any thread.
 *
 * @param size the length of the state in bytes, a multiple of 4,096
 * @param dirtyRate how much of the state changes while the device runs, in bytes per second
 * @param initial how much of the first pass is {@code initial_bytes}, in bytes and rounded up to 64 KiB; 0 for all of
 *     it
 * @param drained what a read in PRE_COPY answers when there is nothing to read now
 * @param preCopy whether the device has PRE_COPY
 * @param p2p whether the device has RUNNING_P2P (and PRE_COPY_P2P, with PRE_COPY)
 * @param seed chooses the contents and where they change; devices of one kernel differ even with equal seeds
 * @param shortRead how many bytes a read gives at the most; 0 for no limit
 * @param shortWrite how many bytes a write takes at the most; 0 for no limit
 * @param sparse whether all but 64 KiB of each 64 MiB is zero and takes no memory, at the destination either when it is
 *     sparse too; what changes does take memory
 * @param arcMillis how long each arc of the state machine takes, in milliseconds, 0 to 60,000; drivers take 1 to 100
 */
public record EmulatedDeviceSpec(
        long size,
        long dirtyRate,
        long initial,
        Drained drained,
        boolean preCopy,
        boolean p2p,
        long seed,
        long shortRead,
        long shortWrite,
        boolean sparse,
        int arcMillis) {

    /** What a text form begins with. */
    public static final String PREFIX = "emulated:";

    /** A device of 64 MiB that does not change, with the whole protocol. */
    public static final EmulatedDeviceSpec DEFAULT =
            new EmulatedDeviceSpec(64L << 20, 0, 0, Drained.ENOMSG, true, true, 1, 0, 0, false, 0);

    private static final long PAGE = 4096;
    private static final long LARGEST = 1L << 40;
    private static final int LONGEST_ARC = 60_000;
    private static final String MILLIS = "ms";
    private static final String KEYS =
            "size, dirty, initial, drained, precopy, p2p, seed, short-read, short-write, sparse, arc";

    /** What a read in PRE_COPY answers when there is nothing to read now. */
    public enum Drained {
        /** {@code -ENOMSG}, as the uAPI promises and mlx5 and virtio do. */
        ENOMSG,
        /** 0, as hisi_acc, qat and mtty do. */
        ZERO
    }

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException naming the key, its value and what is allowed
     */
    public EmulatedDeviceSpec {
        if (size < PAGE || size > LARGEST || size % PAGE != 0) {
            throw new IllegalArgumentException(
                    "size=" + ByteSize.format(size) + ": must be a multiple of 4KiB, from 4KiB to 1024GiB");
        }
        if (dirtyRate < 0) {
            throw new IllegalArgumentException("dirty=" + dirtyRate + ": must not be negative");
        }
        if (initial < 0 || initial > size) {
            throw new IllegalArgumentException("initial=" + ByteSize.format(initial) + ": must not be larger than size="
                    + ByteSize.format(size) + " (0 means all of it)");
        }
        if (shortRead < 0) {
            throw new IllegalArgumentException(
                    "short-read=" + shortRead + ": must be a number of bytes, or 0 for no limit");
        }
        if (shortWrite < 0) {
            throw new IllegalArgumentException(
                    "short-write=" + shortWrite + ": must be a number of bytes, or 0 for no limit");
        }
        if (arcMillis < 0 || arcMillis > LONGEST_ARC) {
            throw new IllegalArgumentException(
                    "arc=" + arcMillis + MILLIS + ": must be 0ms to " + LONGEST_ARC + MILLIS);
        }
    }

    /**
     * Tells whether a device name means an emulated device.
     *
     * @param text a device name
     * @return whether it is {@code emulated}, or begins with {@code emulated:}
     */
    public static boolean isSpec(String text) {
        return text.equals("emulated") || text.startsWith(PREFIX);
    }

    /**
     * Reads the text form.
     *
     * @param text {@code emulated}, {@code emulated:}, or {@code emulated:} and pairs {@code key=value} with commas
     *     between; what is not said is as in {@link #DEFAULT}
     * @return the spec
     * @throws IllegalArgumentException naming the bad key or value and what is allowed
     */
    public static EmulatedDeviceSpec parse(String text) {
        if (!isSpec(text)) {
            throw new IllegalArgumentException("\"" + text + "\" is not an emulated device: must begin with " + PREFIX);
        }
        EmulatedDeviceSpec spec = DEFAULT;
        String pairs = text.length() < PREFIX.length() ? "" : text.substring(PREFIX.length());
        if (pairs.isEmpty()) {
            return spec;
        }
        long size = spec.size;
        long dirtyRate = spec.dirtyRate;
        long initial = spec.initial;
        Drained drained = spec.drained;
        boolean preCopy = spec.preCopy;
        boolean p2p = spec.p2p;
        long seed = spec.seed;
        long shortRead = spec.shortRead;
        long shortWrite = spec.shortWrite;
        boolean sparse = spec.sparse;
        int arcMillis = spec.arcMillis;
        Set<String> seen = new HashSet<>();
        for (String pair : pairs.split(",", -1)) {
            int equals = pair.indexOf('=');
            if (equals < 0) {
                throw new IllegalArgumentException(
                        "\"" + pair + "\" in \"" + text + "\" is not key=value; the keys are " + KEYS);
            }
            String key = pair.substring(0, equals);
            String value = pair.substring(equals + 1);
            if (!seen.add(key)) {
                throw new IllegalArgumentException("key \"" + key + "\" is given twice in \"" + text + "\"");
            }
            switch (key) {
                case "size" -> size = bytes(key, value);
                case "dirty" -> dirtyRate = rate(key, value);
                case "initial" -> initial = bytes(key, value);
                case "drained" ->
                    drained = switch (value) {
                        case "enomsg" -> Drained.ENOMSG;
                        case "zero" -> Drained.ZERO;
                        default -> throw bad(key, value, "must be enomsg or zero");
                    };
                case "precopy" -> preCopy = onOff(key, value);
                case "p2p" -> p2p = onOff(key, value);
                case "seed" -> seed = number(key, value);
                case "short-read" -> shortRead = bytes(key, value);
                case "short-write" -> shortWrite = bytes(key, value);
                case "sparse" -> sparse = onOff(key, value);
                case "arc" -> arcMillis = millis(key, value);
                default ->
                    throw new IllegalArgumentException(
                            "unknown key \"" + key + "\" in \"" + text + "\"; the keys are " + KEYS);
            }
        }
        return new EmulatedDeviceSpec(
                size, dirtyRate, initial, drained, preCopy, p2p, seed, shortRead, shortWrite, sparse, arcMillis);
    }

    /**
     * Returns the same device with another dirty rate; a destination that is compared with its source has 0.
     *
     * @param bytesPerSecond the rate
     * @return the spec
     */
    public EmulatedDeviceSpec withDirtyRate(long bytesPerSecond) {
        return new EmulatedDeviceSpec(
                size, bytesPerSecond, initial, drained, preCopy, p2p, seed, shortRead, shortWrite, sparse, arcMillis);
    }

    /**
     * Returns the same device with other contents.
     *
     * @param number the seed
     * @return the spec
     */
    public EmulatedDeviceSpec withSeed(long number) {
        return new EmulatedDeviceSpec(
                size, dirtyRate, initial, drained, preCopy, p2p, number, shortRead, shortWrite, sparse, arcMillis);
    }

    /**
     * Returns the text form: the size, and what is not as in {@link #DEFAULT}.
     *
     * @return such as {@code emulated:size=1GiB,dirty=100MiB/s}
     */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(PREFIX).append("size=").append(ByteSize.format(size));
        if (dirtyRate != DEFAULT.dirtyRate) {
            text.append(",dirty=").append(ByteSize.format(dirtyRate)).append("/s");
        }
        if (initial != DEFAULT.initial) {
            text.append(",initial=").append(ByteSize.format(initial));
        }
        if (drained != DEFAULT.drained) {
            text.append(",drained=zero");
        }
        if (!preCopy) {
            text.append(",precopy=off");
        }
        if (!p2p) {
            text.append(",p2p=off");
        }
        if (seed != DEFAULT.seed) {
            text.append(",seed=").append(seed);
        }
        if (shortRead != 0) {
            text.append(",short-read=").append(ByteSize.format(shortRead));
        }
        if (shortWrite != 0) {
            text.append(",short-write=").append(ByteSize.format(shortWrite));
        }
        if (sparse) {
            text.append(",sparse=on");
        }
        if (arcMillis != 0) {
            text.append(",arc=").append(arcMillis).append(MILLIS);
        }
        return text.toString();
    }

    private static long bytes(String key, String value) {
        try {
            return ByteSize.parse(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
        }
    }

    private static long rate(String key, String value) {
        try {
            return ByteSize.parseRate(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
        }
    }

    private static boolean onOff(String key, String value) {
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default -> throw bad(key, value, "must be on or off");
        };
    }

    private static long number(String key, String value) {
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(key + "=" + value + ": must be a whole number", e);
        }
    }

    private static int millis(String key, String value) {
        try {
            if (value.endsWith(MILLIS)) {
                return Integer.parseInt(value.substring(0, value.length() - MILLIS.length()));
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(badMillis(key, value), e);
        }
        throw new IllegalArgumentException(badMillis(key, value));
    }

    private static String badMillis(String key, String value) {
        return key + "=" + value + ": must be whole milliseconds, such as 5ms";
    }

    private static IllegalArgumentException bad(String key, String value, String allowed) {
        return new IllegalArgumentException(key + "=" + value + ": " + allowed);
    }
}
