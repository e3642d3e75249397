// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.Schedule.Fault;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Counts the places where something can go wrong, and says what does. */
final class Faults {
    private final List<Fault> faults;
    private final Map<Place, Integer> counts = new EnumMap<>(Place.class);

    Faults(List<Fault> faults) {
        this.faults = faults;
    }

    /** Tells whether something is wrong from the beginning. */
    boolean has(Kind kind) {
        return faults.contains(Fault.allAlong(kind));
    }

    /** The next of these places is reached: what goes wrong there, or null. */
    @Nullable
    Kind next(Place place) {
        int number = counts.merge(place, 1, Integer::sum);
        return faults.stream()
                .filter(fault -> fault.place() == place && fault.number() == number)
                .map(Fault::kind)
                .findFirst()
                .orElse(null);
    }

    /** How many of these places there were. */
    int count(Place place) {
        return counts.getOrDefault(place, 0);
    }
}
