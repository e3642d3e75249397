// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * How long the kernel took for each arc, as often as it was taken. One thread at a time.
 *
 * <p>Nanoseconds, with three digits that count.
 */
public final class ArcTimes {
    private static final int DIGITS = 3;

    private final Map<Arc, Histogram> histograms = new LinkedHashMap<>();

    /** Makes one without any times. */
    public ArcTimes() {}

    /**
     * Takes down one time.
     *
     * @param arc which arc
     * @param nanos how long it took
     */
    public void record(Arc arc, long nanos) {
        histograms.computeIfAbsent(arc, first -> new Histogram(DIGITS)).recordValue(nanos);
    }

    /**
     * Returns the times of each arc.
     *
     * @return a view, in the order in which the arcs were first taken
     */
    public Map<Arc, Histogram> histograms() {
        return Collections.unmodifiableMap(histograms);
    }
}
