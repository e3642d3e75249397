// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a simulation does: which way the state goes, what goes wrong where, and the seed of all that is left to chance.
 *
 * <p>Its text, such as {@code CONNECTION/2/CUT@MESSAGE17}, is all that it takes to run it again.
 *
 * @param way which way the state goes
 * @param seed decides on whatever is left to chance, such as which thread is the next
 * @param faults what goes wrong
 */
record Schedule(Way way, long seed, List<Fault> faults) {
    private static final Pattern TEXT = Pattern.compile("([A-Z]+)/(-?\\d+)/([A-Z_@0-9+]*)");
    private static final Pattern FAULT = Pattern.compile("([A-Z_]+)(?:@([A-Z_]+)(\\d+))?");

    /** Which way the state goes. */
    enum Way {
        /** From process to process. */
        CONNECTION,
        /** Into a file, and out of it into another process when it has got its name. */
        FILE
    }

    /** What is counted, so that a fault can be at one of them. */
    enum Place {
        /** No place: it is so from the beginning. */
        ALL_ALONG,
        /** Before a connection is made, or a message of either side goes. */
        MESSAGE,
        /** Before a call of a handler. */
        SOURCE_CALL,
        DESTINATION_CALL,
        /** Before a system call of a device. */
        SOURCE_DEVICE,
        DESTINATION_DEVICE,
        /** In an access to the disk. */
        DISK;

        /** Beyond what a migration has of it, so that now and then nothing happens. */
        int most() {
            return this == SOURCE_DEVICE || this == DESTINATION_DEVICE ? 40 : 120;
        }

        boolean isOf(Way way) {
            return switch (this) {
                case MESSAGE -> way == Way.CONNECTION;
                case DISK -> way == Way.FILE;
                case ALL_ALONG, SOURCE_CALL, DESTINATION_CALL, SOURCE_DEVICE, DESTINATION_DEVICE -> true;
            };
        }
    }

    /** What goes wrong. */
    enum Kind {
        LATE_INITIAL_DATA(Place.ALL_ALONG),
        MACHINE_DOES_NOT_STOP(Place.ALL_ALONG),
        MACHINE_DOES_NOT_RESUME_THERE(Place.ALL_ALONG),
        /** The destination's handlers take their time for whatever they load. */
        SLOW_LOADING(Place.ALL_ALONG),

        CRASH_OF_SOURCE(Place.MESSAGE, Place.DISK),
        CRASH_OF_DESTINATION(Place.MESSAGE, Place.DISK),
        CANCEL_AT_SOURCE(Place.MESSAGE, Place.DISK),
        CANCEL_AT_DESTINATION(Place.MESSAGE, Place.DISK),
        CUT(Place.MESSAGE),
        SHORT_STALL(Place.MESSAGE),
        LONG_STALL(Place.MESSAGE),
        STRANGER(Place.MESSAGE),
        /** A connection of the source, or its next one, is there twice, and the copy is in front of those that wait. */
        DUPLICATE_BEFORE(Place.MESSAGE),
        /** A connection of the source, or its next one, is there twice, and the copy is behind those that wait. */
        DUPLICATE_AFTER(Place.MESSAGE),

        /** The source's process is gone, and what was not forced to disk. */
        POWER_LOSS(Place.DISK),
        /** An access takes longer than a peer may be silent, and longer than a handler may take. */
        SLOW_DISK(Place.DISK),
        /** From here on. */
        FULL_DISK(Place.DISK),
        /** An access fails. */
        DISK_ERROR(Place.DISK),

        FAILS(Place.SOURCE_CALL, Place.DESTINATION_CALL),
        THROWS_ANYTHING(Place.SOURCE_CALL, Place.DESTINATION_CALL),
        IS_SLOW(Place.SOURCE_CALL, Place.DESTINATION_CALL),
        HANGS(Place.SOURCE_CALL, Place.DESTINATION_CALL),

        /** One system call fails, and the device stays as it is. */
        DEVICE_CALL_FAILS(Place.SOURCE_DEVICE, Place.DESTINATION_DEVICE),
        /** A system call fails, and the device is in ERROR: nothing but a reset helps. */
        DEVICE_IN_ERROR(Place.SOURCE_DEVICE, Place.DESTINATION_DEVICE),
        /** All system calls fail from now on, a reset too. */
        DEVICE_LOST(Place.SOURCE_DEVICE, Place.DESTINATION_DEVICE);

        @SuppressWarnings("ImmutableEnumChecker") // List.of() is
        private final List<Place> places;

        Kind(Place... places) {
            this.places = List.of(places);
        }

        List<Place> places() {
            return places;
        }

        /** Tells whether a migration completes all the same. */
        boolean isHarmless() {
            return switch (this) {
                case LATE_INITIAL_DATA, SLOW_LOADING, SHORT_STALL, STRANGER, SLOW_DISK, IS_SLOW -> true;
                default -> false;
            };
        }
    }

    /**
     * One thing that goes wrong.
     *
     * @param kind what
     * @param place where
     * @param number at which of these places, from 1 on; 0 where it is no place
     */
    record Fault(Kind kind, Place place, int number) {
        static Fault allAlong(Kind kind) {
            return new Fault(kind, Place.ALL_ALONG, 0);
        }

        @Override
        public String toString() {
            return place == Place.ALL_ALONG ? kind.toString() : kind + "@" + place + number;
        }

        private static Fault parse(String text) {
            Matcher matcher = matcher(FAULT, text);
            Kind kind = Kind.valueOf(matcher.group(1));
            return matcher.group(2) == null
                    ? allAlong(kind)
                    : new Fault(kind, Place.valueOf(matcher.group(2)), Integer.parseInt(matcher.group(3)));
        }
    }

    static Schedule of(Way way, long seed, Fault... faults) {
        return new Schedule(way, seed, List.of(faults));
    }

    /** Several things may go wrong, by chance. */
    static Schedule random(long seed) {
        Random random = new Random(~seed);
        Way way = oneOf(random, List.of(Way.values()));
        List<Fault> faults = new ArrayList<>();
        for (Place place : Place.values()) {
            List<Kind> kinds = Arrays.stream(Kind.values())
                    .filter(kind -> kind.places().contains(place))
                    .toList();
            if (place == Place.ALL_ALONG) {
                kinds.stream()
                        .filter(kind -> random.nextInt(8) == 0)
                        .map(Fault::allAlong)
                        .forEach(faults::add);
            } else if (place.isOf(way) && random.nextInt(place == Place.MESSAGE ? 2 : 5) == 0) {
                // The last few are the handover.
                int most = place.most();
                int number = random.nextBoolean() ? 1 + random.nextInt(most) : most * 2 / 3 + random.nextInt(20);
                faults.add(new Fault(oneOf(random, kinds), place, number));
            }
        }
        return new Schedule(way, seed, faults);
    }

    private static <T> T oneOf(Random random, List<T> choices) {
        return choices.get(random.nextInt(choices.size()));
    }

    /** Tells whether one thing goes wrong, and nothing else. */
    boolean isOnly(Kind kind) {
        return faults.size() == 1 && faults.getFirst().kind() == kind;
    }

    static Schedule parse(String text) {
        Matcher matcher = matcher(TEXT, text);
        return new Schedule(
                Way.valueOf(matcher.group(1)),
                Long.parseLong(matcher.group(2)),
                Arrays.stream(matcher.group(3).split("\\+"))
                        .filter(fault -> !fault.isEmpty())
                        .map(Fault::parse)
                        .toList());
    }

    private static Matcher matcher(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text + "' is no schedule; use WAY/SEED/FAULT+FAULT@PLACE1");
        }
        return matcher;
    }

    @Override
    public String toString() {
        return way + "/" + seed + "/" + faults.stream().map(Fault::toString).collect(Collectors.joining("+"));
    }
}
