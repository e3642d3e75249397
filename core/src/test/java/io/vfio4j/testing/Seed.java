// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import java.util.Random;

/**
 * Randomness that a failing test can be repeated with: {@code -Dvfio4j.seed=N} sets the seed.
 *
 * <p>Put {@link #toString()} into the description of every assertion that depends on it.
 */
public final class Seed {
    private static final long DEFAULT = 20_261_122L;

    private final long value = Long.getLong("vfio4j.seed", DEFAULT);

    /**
     * Returns a generator that gives the same numbers every time.
     *
     * @return a new generator
     */
    public Random random() {
        return new Random(value);
    }

    @Override
    public String toString() {
        return "-Dvfio4j.seed=" + value;
    }
}
