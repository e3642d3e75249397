// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;

/** Says where on an axis a value lies, and which values are marked. Immutable. */
public final class Scale {
    private static final double DECADE = 10;

    /** 1 / (1 - share): 0, 50, 90, 95, 99, 99.5 and 99.9 %. */
    private static final double[] ODDS = {1, 2, 10, 20, 100, 200, 1000};

    private final DoubleUnaryOperator place;
    private final List<Tick> ticks;
    private final String unit;

    /**
     * A value that is marked.
     *
     * @param value the value
     * @param label what stands beside it
     */
    public record Tick(double value, String label) {}

    private Scale(DoubleUnaryOperator place, List<Tick> ticks, String unit) {
        this.place = place;
        this.ticks = List.copyOf(ticks);
        this.unit = unit;
    }

    /**
     * Makes a scale from 0 on, with round values marked.
     *
     * @param largest what it must reach; anything not above 0 counts as one unit
     * @param steps about how many steps to mark, &gt; 0
     * @param unit what its labels count
     * @return the scale
     */
    public static Scale linear(double largest, int steps, Unit unit) {
        double top = largest > 0 ? largest / unit.size() : 1;
        double step = roundStep(top / steps);
        // A bit less would be one step more, for want of precision.
        long count = Math.max(1, (long) Math.ceil(top / step - 1e-9));
        int decimals = (int) Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
        List<Tick> ticks = new ArrayList<>();
        for (long i = 0; i <= count; i++) {
            ticks.add(new Tick(i * step * unit.size(), String.format(Locale.ROOT, "%." + decimals + "f", i * step)));
        }
        double end = count * step * unit.size();
        return new Scale(value -> value / end, ticks, unit.name());
    }

    /** The next larger one of 1, 2 and 5 and their tenfold. */
    private static double roundStep(double least) {
        double magnitude = Math.pow(DECADE, Math.floor(Math.log10(least)));
        for (int digit : new int[] {1, 2, 5}) {
            if (digit * magnitude >= least * (1 - 1e-9)) {
                return digit * magnitude;
            }
        }
        return DECADE * magnitude;
    }

    /**
     * Makes a logarithmic scale of whole decades.
     *
     * @param smallest what it must reach down to; anything below 1 counts as 1
     * @param largest what it must reach up to
     * @param label the label of a decade
     * @return the scale
     */
    public static Scale decades(double smallest, double largest, DoubleFunction<String> label) {
        int first = (int) Math.floor(Math.log10(Math.max(1, smallest)) + 1e-9);
        int last = Math.max(first + 1, (int) Math.ceil(Math.log10(Math.max(1, largest)) - 1e-9));
        List<Tick> ticks = IntStream.rangeClosed(first, last)
                .mapToObj(i -> new Tick(Math.pow(DECADE, i), label.apply(Math.pow(DECADE, i))))
                .toList();
        return new Scale(value -> (Math.log10(Math.max(1, value)) - first) / (last - first), ticks, "");
    }

    /**
     * Makes a scale of shares of all values that spreads out the last few, as is usual for percentiles.
     *
     * @param last the largest share that is shown, below 1
     * @return the scale; its labels are in per cent
     */
    public static Scale percentiles(double last) {
        double odds = Math.max(DECADE, 1 / (1 - last));
        List<Tick> ticks = new ArrayList<>();
        for (double each : ODDS) {
            if (each <= odds * (1 + 1e-9)) {
                double share = 1 - 1 / each;
                ticks.add(new Tick(share, Markup.number(share * 100)));
            }
        }
        return new Scale(share -> -Math.log10(1 - share) / Math.log10(odds), ticks, "%");
    }

    /**
     * Makes a scale of things side by side; the value of one is its index, its place the middle of its room.
     *
     * @param names their labels, at least one
     * @return the scale
     */
    public static Scale categories(List<String> names) {
        int count = names.size();
        List<Tick> ticks = IntStream.range(0, count)
                .mapToObj(i -> new Tick(i, names.get(i)))
                .toList();
        return new Scale(index -> (index + 0.5) / count, ticks, "");
    }

    /**
     * Makes a scale of whole numbers from 1 on, such as runs, each with room around it.
     *
     * @param count the last one, &gt; 0
     * @param steps about how many to mark
     * @return the scale
     */
    public static Scale ordinals(int count, int steps) {
        int step = Math.max(1, (int) Math.ceil(roundStep((double) count / steps) - 1e-9));
        List<Tick> ticks = new ArrayList<>();
        ticks.add(new Tick(1, "1"));
        for (int i = step == 1 ? 2 : step; i <= count; i += step) {
            ticks.add(new Tick(i, Integer.toString(i)));
        }
        return new Scale(number -> (number - 0.5) / count, ticks, "");
    }

    /**
     * Returns where a value lies.
     *
     * @param value the value
     * @return 0 at the beginning to 1 at the end; what lies outside counts as the end that is nearer
     */
    public double at(double value) {
        return Math.clamp(place.applyAsDouble(value), 0, 1);
    }

    /**
     * Returns the values that are marked.
     *
     * @return in their order
     */
    public List<Tick> ticks() {
        return ticks;
    }

    /**
     * Returns what the labels count.
     *
     * @return a unit's name; empty where there is none
     */
    public String unit() {
        return unit;
    }
}
