// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * How many bytes had gone at which moment, and which phase began when. Takes a bounded number of samples, however long
 * it lasts: when it is full every second one is dropped and the next ones come half as often. One thread at a time.
 */
public final class Timeline {
    static final int CAPACITY = 512;

    private final long begin;
    private final long[] nanos = new long[CAPACITY];
    private final long[] bytes = new long[CAPACITY];
    private final List<Phase> phases = new ArrayList<>();
    private int size;
    private long gap;

    /**
     * A phase, which lasts until the next one begins.
     *
     * @param name what it is called
     * @param nanos when it began, in nanoseconds since the beginning
     */
    public record Phase(String name, long nanos) {}

    /**
     * A stretch of time and the rate in it.
     *
     * @param fromNanos where it begins, in nanoseconds since the beginning
     * @param toNanos where it ends
     * @param bytesPerSecond the rate
     */
    public record Rate(long fromNanos, long toNanos, long bytesPerSecond) {}

    /**
     * Begins a timeline.
     *
     * @param begin what the clock says, in nanoseconds
     */
    public Timeline(long begin) {
        this.begin = begin;
        this.size = 1;
    }

    /**
     * Takes down that a phase begins.
     *
     * @param name what it is called
     * @param now what the clock says
     */
    public void phase(String name, long now) {
        phases.add(new Phase(name, now - begin));
    }

    /**
     * Takes down how many bytes have gone, if it is time for another sample.
     *
     * @param now what the clock says
     * @param total bytes since the beginning
     */
    public void sample(long now, long total) {
        if (now - begin - nanos[size - 1] < Math.max(1, gap)) {
            return;
        }
        add(now, total);
    }

    /**
     * Takes down how many bytes have gone in the end.
     *
     * @param now what the clock says
     * @param total bytes since the beginning
     */
    public void end(long now, long total) {
        if (now - begin > nanos[size - 1]) {
            add(now, total);
        }
    }

    private void add(long now, long total) {
        if (size == CAPACITY) {
            thinOut();
        }
        nanos[size] = now - begin;
        bytes[size] = total;
        size++;
    }

    private void thinOut() {
        int kept = 0;
        for (int i = 0; i < size; i += 2) {
            nanos[kept] = nanos[i];
            bytes[kept] = bytes[i];
            kept++;
        }
        size = kept;
        gap = nanos[size - 1] / size;
    }

    /**
     * Returns how long it lasted.
     *
     * @return nanoseconds up to the last sample
     */
    public long durationNanos() {
        return nanos[size - 1];
    }

    /**
     * Returns the phases.
     *
     * @return in their order
     */
    public List<Phase> phases() {
        return List.copyOf(phases);
    }

    /**
     * Returns the rate over time, in stretches of equal length; between two samples it counts as even.
     *
     * @param stretches how many, &gt; 0
     * @return the stretches in their order; empty where nothing was sampled
     */
    public List<Rate> rates(int stretches) {
        List<Rate> rates = new ArrayList<>();
        long whole = durationNanos();
        int sample = 0;
        for (int i = 0; i < stretches && whole > 0; i++) {
            long from = whole * i / stretches;
            long to = whole * (i + 1) / stretches;
            if (to == from) {
                continue;
            }
            while (nanos[sample + 1] <= from) {
                sample++;
            }
            double gone = at(to, sample) - at(from, sample);
            rates.add(new Rate(from, to, Math.round(gone * 1e9 / (to - from))));
        }
        return rates;
    }

    /** How many bytes had gone at a moment, which is not before that sample. */
    private double at(long moment, int notBefore) {
        int i = notBefore;
        while (i + 2 < size && nanos[i + 1] < moment) {
            i++;
        }
        double share = (double) (moment - nanos[i]) / (nanos[i + 1] - nanos[i]);
        return bytes[i] + share * (bytes[i + 1] - bytes[i]);
    }
}
