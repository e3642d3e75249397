// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What is migrated, where and how: all that a figure depends on beside the peer.
 *
 * @param place where the devices are
 * @param cpus how many processors there are
 * @param route what the state goes through
 * @param devices how many devices migrate together
 * @param mebibytes the state of each, in MiB
 * @param dirty how fast each device changes: MiB per second, or {@code half} of what C moves
 */
record Scenario(Place place, int cpus, Route route, int devices, int mebibytes, String dirty) {
    /** As fast a change as could ever converge with some margin. */
    static final String HALF = "half";

    /** Where the devices are. */
    enum Place {
        /** Test devices of the lab's kernel. */
        LAB,
        /** The emulator's, or memory like it, on this host. */
        HOST
    }

    /** What the state goes through. */
    enum Route {
        /** Loopback TCP. */
        TCP("tcp"),
        /** A Unix socket. */
        UNIX("unix"),
        /** A file, by the page cache. */
        FILE("file"),
        /** A file, past the page cache. */
        DIRECT("file, O_DIRECT");

        private final String label;

        Route(String label) {
            this.label = label;
        }

        boolean isFile() {
            return this == FILE || this == DIRECT;
        }
    }

    /** How fast each device changes, in bytes per second, when C moves so many. */
    long dirtyBytesPerSecond(double linkBytesPerSecond) {
        return dirty.equals(HALF) ? (long) (linkBytesPerSecond / 2 / devices) : (long) Integer.parseInt(dirty) << 20;
    }

    boolean changes() {
        return !dirty.equals("0");
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%s, %d CPU%s, %d x %d MiB, %s, %s",
                place.name().toLowerCase(Locale.ROOT),
                cpus,
                cpus == 1 ? "" : "s",
                devices,
                mebibytes,
                route.label,
                !changes()
                        ? "unchanging"
                        : dirty.equals(HALF) ? "changing at half of C's rate" : dirty + " MiB/s changing");
    }

    /** A base, and others that differ from it in one thing each. */
    static List<Scenario> around(
            Scenario base, List<Integer> sizes, List<Integer> devices, List<String> dirty, List<Route> routes) {
        List<Scenario> all = new ArrayList<>(List.of(base));
        for (Route each : routes) {
            all.add(new Scenario(base.place, base.cpus, each, base.devices, base.mebibytes, base.dirty));
        }
        for (String each : dirty) {
            all.add(new Scenario(base.place, base.cpus, base.route, base.devices, base.mebibytes, each));
        }
        for (int each : devices) {
            // So much state in all as the base has.
            all.add(new Scenario(
                    base.place,
                    base.cpus,
                    base.route,
                    each,
                    Math.max(4, base.mebibytes * base.devices / each),
                    base.dirty));
        }
        for (int each : sizes) {
            all.add(new Scenario(base.place, base.cpus, base.route, base.devices, each, base.dirty));
        }
        return all.stream().distinct().toList();
    }
}
