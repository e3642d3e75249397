// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;

/** Measurements to test with. */
final class Samples {
    static final Scenario LAB = new Scenario(Place.LAB, 2, Route.TCP, 1, 256, "0");
    static final Scenario HOST_FILE = new Scenario(Place.HOST, 2, Route.FILE, 1, 256, "0");

    private static final long MIB = 1 << 20;

    private Samples() {}

    /**
     * One that moved 1024 MiB at this rate, and was down for so long, with as many CPU seconds for the GiB as given.
     */
    static Measurement of(
            Scenario scenario, String peer, int round, double rate, double downMillis, double cpuSeconds) {
        long nanos = (long) (1024 / rate * 1e9);
        long down = (long) (downMillis * 1e6);
        long cpu = (long) (cpuSeconds * 1e9);
        return new Measurement(
                scenario, peer, round, "", 1024 * MIB, nanos, 0, down, nanos, down, cpu, 2 * cpu, 10 * MIB, 20 * MIB);
    }
}
