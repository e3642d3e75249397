// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;

/**
 * A plot of points and lines over two axes, as an SVG picture that needs nothing else.
 *
 * <p>For one thread.
 */
public final class Plot {
    private static final int WIDTH = 640;
    private static final int HEIGHT = 400;
    private static final int LEFT = 70;
    private static final int RIGHT = 20;
    private static final int TOP = 40;
    private static final int BOTTOM = 55;
    private static final List<String> COLOURS = List.of("#2a6fb0", "#c0504d", "#3f8f4f", "#8a5fa8", "#b8860b");

    /** A point. */
    private record Point(double x, double y) {}

    /** Points that belong together. */
    private record Series(String name, boolean joined, List<Point> points) {}

    private final String title;
    private final String xLabel;
    private final String yLabel;
    private final boolean logarithmic;
    private final List<Series> series = new ArrayList<>();
    private final StringBuilder svg = new StringBuilder();

    /**
     * Begins a plot.
     *
     * @param title what it shows
     * @param xLabel what is to the right, with its unit
     * @param yLabel what is upwards, with its unit
     * @param logarithmic whether both axes are; values are more than 0 then
     */
    public Plot(String title, String xLabel, String yLabel, boolean logarithmic) {
        this.title = title;
        this.xLabel = xLabel;
        this.yLabel = yLabel;
        this.logarithmic = logarithmic;
    }

    /**
     * Begins points that belong together, to which {@link #add} adds.
     *
     * @param name what they are, for the legend
     * @param joined whether a line joins them
     * @return this
     */
    public Plot series(String name, boolean joined) {
        series.add(new Series(name, joined, new ArrayList<>()));
        return this;
    }

    /**
     * Adds a point to the points begun last.
     *
     * @param x how far to the right
     * @param y how far upwards
     * @return this
     */
    public Plot add(double x, double y) {
        series.getLast().points.add(new Point(x, y));
        return this;
    }

    /**
     * Draws all.
     *
     * @return the text of an SVG file
     */
    public String svg() {
        Axis across = new Axis(points().mapToDouble(Point::x).toArray());
        Axis up = new Axis(points().mapToDouble(Point::y).toArray());
        svg.setLength(0);
        draw(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">",
                WIDTH, HEIGHT, WIDTH, HEIGHT);
        draw("<rect width=\"%d\" height=\"%d\" fill=\"white\"/>", WIDTH, HEIGHT);
        draw("<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s</text>", LEFT, escape(title));
        grid(across, up);
        DoubleUnaryOperator x = value -> LEFT + across.share(value) * (WIDTH - LEFT - RIGHT);
        DoubleUnaryOperator y = value -> HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM);
        for (int i = 0; i < series.size(); i++) {
            draw(series.get(i), COLOURS.get(i % COLOURS.size()), i, x, y);
        }
        svg.append("</svg>\n");
        return svg.toString();
    }

    private Stream<Point> points() {
        return series.stream().flatMap(each -> each.points.stream());
    }

    private void grid(Axis across, Axis up) {
        int bottom = HEIGHT - BOTTOM;
        for (double tick : across.ticks()) {
            double x = LEFT + across.share(tick) * (WIDTH - LEFT - RIGHT);
            draw("<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#e4e4e4\"/>", x, TOP, x, bottom);
            draw("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", x, bottom + 18, number(tick));
        }
        for (double tick : up.ticks()) {
            double y = bottom - up.share(tick) * (bottom - TOP);
            draw("<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>", LEFT, y, WIDTH - RIGHT, y);
            draw("<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 6, y + 4, number(tick));
        }
        draw("<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#444\"/>", LEFT, TOP, bottom, WIDTH - RIGHT);
        draw(
                "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>",
                (LEFT + WIDTH) / 2, HEIGHT - 14, escape(xLabel));
        draw(
                "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>",
                (TOP + bottom) / 2, escape(yLabel));
    }

    private void draw(Series some, String colour, int index, DoubleUnaryOperator x, DoubleUnaryOperator y) {
        if (some.joined) {
            StringBuilder path = new StringBuilder();
            some.points.forEach(point -> path.append(String.format(
                    Locale.ROOT,
                    "%s%.1f %.1f",
                    path.isEmpty() ? "M" : "L",
                    x.applyAsDouble(point.x),
                    y.applyAsDouble(point.y))));
            draw("<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>", path, colour);
        }
        some.points.forEach(point -> draw(
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\" fill-opacity=\"0.7\"/>",
                x.applyAsDouble(point.x), y.applyAsDouble(point.y), colour));
        draw("<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"%s\"/>", LEFT + 14, TOP + 12 + 18 * index, colour);
        draw("<text x=\"%d\" y=\"%d\">%s</text>", LEFT + 24, TOP + 16 + 18 * index, escape(some.name));
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would be one more dependency
    private void draw(String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static String number(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : String.format(Locale.ROOT, "%.3g", value);
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    /** One axis: from 0, or from a power of 10. */
    private final class Axis {
        private static final int TICKS = 6;
        private final double low;
        private final double high;
        private final double step;

        Axis(double[] values) {
            double most = 0;
            double least = Double.MAX_VALUE;
            for (double value : values) {
                most = Math.max(most, value);
                least = Math.min(least, value);
            }
            most = most <= 0 ? 1 : most;
            if (logarithmic) {
                low = Math.floor(Math.log10(least));
                high = Math.max(low + 1, Math.ceil(Math.log10(most)));
                step = 1;
            } else {
                double rough = most / TICKS;
                double power = Math.pow(10, Math.floor(Math.log10(rough)));
                step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
                low = 0;
                high = step * Math.ceil(most / step);
            }
        }

        double share(double value) {
            return ((logarithmic ? Math.log10(value) : value) - low) / (high - low);
        }

        List<Double> ticks() {
            List<Double> ticks = new ArrayList<>();
            for (int i = 0; low + i * step <= high + step / 1000; i++) {
                ticks.add(logarithmic ? Math.pow(10, low + i) : low + i * step);
            }
            return ticks;
        }
    }
}
