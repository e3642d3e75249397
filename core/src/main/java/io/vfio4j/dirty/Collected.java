// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How good a collection is.
 *
 * @param everythingBecause why all pages of the range were marked, although not all were reported; null where the
 *     source reported
 */
public record Collected(@Nullable String everythingBecause) {
    /** The source reported. */
    public static final Collected REPORTED = new Collected(null);

    /**
     * Tells whether the source reported.
     *
     * @return false when everything was marked, for want of a report
     */
    public boolean reported() {
        return everythingBecause == null;
    }

    /** Joins two: the reasons of both. */
    Collected and(Collected other) {
        if (other.reported() || Objects.equals(everythingBecause, other.everythingBecause)) {
            return this;
        }
        return reported() ? other : new Collected(everythingBecause + "; " + other.everythingBecause);
    }
}
