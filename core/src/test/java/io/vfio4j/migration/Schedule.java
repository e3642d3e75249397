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

    /** Beyond what a migration has of any of the places, so that now and then nothing happens. */
    private static final int HANDOVER = 85;
    private static final int MOST_STEPS = 120;

    /** Which way the state goes. */
    enum Way {
        CONNECTION
    }

    /** What is counted, so that a fault can be at one of them. */
    enum Place {
        /** No place: it is so from the beginning. */
        ALL_ALONG,
        /** Before a message of either side goes. */
        MESSAGE,
        /** Before a call of a handler. */
        SOURCE_CALL,
        DESTINATION_CALL;

        boolean isOf(Way way) {
            return switch (this) {
                case MESSAGE -> way == Way.CONNECTION;
                case ALL_ALONG, SOURCE_CALL, DESTINATION_CALL -> true;
            };
        }
    }

    /** What goes wrong. */
    enum Kind {
        LATE_INITIAL_DATA(Place.ALL_ALONG),
        MACHINE_DOES_NOT_STOP(Place.ALL_ALONG),
        MACHINE_DOES_NOT_RESUME_THERE(Place.ALL_ALONG),

        CRASH_OF_SOURCE(Place.MESSAGE),
        CRASH_OF_DESTINATION(Place.MESSAGE),
        CANCEL_AT_SOURCE(Place.MESSAGE),
        CANCEL_AT_DESTINATION(Place.MESSAGE),
        CUT(Place.MESSAGE),
        SHORT_STALL(Place.MESSAGE),
        LONG_STALL(Place.MESSAGE),
        STRANGER(Place.MESSAGE),

        FAILS(Place.SOURCE_CALL, Place.DESTINATION_CALL),
        THROWS_ANYTHING(Place.SOURCE_CALL, Place.DESTINATION_CALL),
        IS_SLOW(Place.SOURCE_CALL, Place.DESTINATION_CALL),
        HANGS(Place.SOURCE_CALL, Place.DESTINATION_CALL);

        @SuppressWarnings("ImmutableEnumChecker") // List.of() is
        private final List<Place> places;

        Kind(Place... places) {
            this.places = List.of(places);
        }

        List<Place> places() {
            return places;
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
            } else if (place.isOf(way) && random.nextInt(3) == 0) {
                // Of about 100 steps the last few are the handover.
                int step = random.nextBoolean() ? 1 + random.nextInt(MOST_STEPS) : HANDOVER + random.nextInt(20);
                faults.add(new Fault(oneOf(random, kinds), place, step));
            }
        }
        return new Schedule(way, seed, faults);
    }

    private static <T> T oneOf(Random random, List<T> choices) {
        return choices.get(random.nextInt(choices.size()));
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
