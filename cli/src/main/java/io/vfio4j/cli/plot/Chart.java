// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A chart with two axes. What is drawn last lies on top. One thread at a time.
 *
 * <p>Axes and texts have the colour of the text around it, so that it suits a light and a dark page. It has no legend,
 * for a legend's texts are better laid out by the page.
 */
public final class Chart {
    private static final double WIDTH = 800;
    private static final double TOP = 14;
    private static final double RIGHT_END = 776;
    private static final double BOTTOM = 52;
    private static final double TITLE_ROOM = 26;
    private static final double TICK_LENGTH = 5;
    private static final double LABEL_GAP = 8;
    private static final double TICK_LABEL = 20;
    private static final double LINE_HEIGHT = 12;

    /** Wide enough for an average letter of any usual font of that size. */
    private static final double LETTER = 7.4;

    private static final double CAP = 5;
    private static final double DOT = 4;
    private static final double THICK = 2;

    /** The colour of the text around the chart, and a shade of it. */
    private static final String INK = "currentColor";

    private static final String GRID = "#80808040";

    private final Axis x;
    private final Axis y;
    private final double left;
    private final double height;
    private final Markup body = new Markup();
    private final String title;

    /**
     * One of the two axes.
     *
     * @param title what it shows, without the unit
     * @param scale where its values lie
     */
    public record Axis(String title, Scale scale) {
        private String label() {
            return scale.unit().isEmpty() ? title : title + " (" + scale.unit() + ")";
        }
    }

    /**
     * A place in a chart.
     *
     * @param x the value on the x axis
     * @param y the value on the y axis
     */
    public record Point(double x, double y) {}

    /**
     * Makes a chart with nothing in it yet.
     *
     * @param title what it shows, for who cannot see it
     * @param x the axis below
     * @param y the axis at the left
     * @param height how high the room between the axes' ends is, in pixels; it is some 700 wide
     */
    public Chart(String title, Axis x, Axis y, double height) {
        this.title = title;
        this.x = x;
        this.y = y;
        this.height = height;
        int longest = y.scale().ticks().stream()
                .mapToInt(tick -> tick.label().length())
                .max()
                .orElse(0);
        this.left = TITLE_ROOM + longest * LETTER + LABEL_GAP + TICK_LENGTH;
    }

    /**
     * Fills what lies between two values of x, from top to bottom.
     *
     * @param from the first value
     * @param to the second value
     * @param colour which colour
     * @return this
     */
    public Chart band(double from, double to, String colour) {
        rect(px(from), TOP, Math.max(1, px(to) - px(from)), height, colour, "").end();
        return this;
    }

    /**
     * Fills a rectangle.
     *
     * @param from one corner
     * @param to the opposite one, with larger values; nothing is drawn where it is no higher
     * @param colour which colour
     * @param hint what is shown to who points at it
     * @return this
     */
    public Chart bar(Point from, Point to, String colour, String hint) {
        double high = py(from.y()) - py(to.y());
        if (high > 0) {
            rect(px(from.x()), py(to.y()), px(to.x()) - px(from.x()), high, colour, hint)
                    .end();
        }
        return this;
    }

    private Markup rect(double left, double top, double width, double high, String colour, String hint) {
        body.begin("rect", "x", left, "y", top, "width", width, "height", high, "fill", colour);
        return hint.isEmpty() ? body : body.element("title", hint);
    }

    /**
     * Draws a line through points.
     *
     * @param points in their order; fewer than two draw nothing
     * @param colour which colour
     * @return this
     */
    public Chart line(List<Point> points, String colour) {
        if (points.size() > 1) {
            String places = points.stream()
                    .map(point -> Markup.number(px(point.x())) + "," + Markup.number(py(point.y())))
                    .collect(Collectors.joining(" "));
            body.empty("polyline", "points", places, "fill", "none", "stroke", colour, "stroke-width", THICK);
        }
        return this;
    }

    /**
     * Draws a line that stays at each point's y up to the next one's x.
     *
     * @param points in their order; fewer than two draw nothing
     * @param colour which colour
     * @return this
     */
    public Chart steps(List<Point> points, String colour) {
        List<Point> corners = new ArrayList<>();
        for (Point point : points) {
            if (!corners.isEmpty()) {
                corners.add(new Point(point.x(), corners.getLast().y()));
            }
            corners.add(point);
        }
        return line(corners, colour);
    }

    /**
     * Draws dots.
     *
     * @param points where
     * @param colour which colour
     * @return this
     */
    public Chart dots(List<Point> points, String colour) {
        for (Point point : points) {
            body.empty("circle", "cx", px(point.x()), "cy", py(point.y()), "r", DOT, "fill", colour);
        }
        return this;
    }

    /**
     * Draws a line between two places with a cap at each end: a range of values.
     *
     * @param from one end
     * @param to the other; right of it or above it
     * @param colour which colour
     * @return this
     */
    public Chart range(Point from, Point to, String colour) {
        boolean upright = from.x() == to.x();
        double dx = upright ? CAP : 0;
        double dy = upright ? 0 : CAP;
        mark(from, to, colour);
        for (Point end : List.of(from, to)) {
            stroke(body, px(end.x()) - dx, py(end.y()) - dy, px(end.x()) + dx, py(end.y()) + dy, colour, THICK, "");
        }
        return this;
    }

    /**
     * Draws a straight line between two places, such as across a bar that is to be compared with a value.
     *
     * @param from one end
     * @param to the other
     * @param colour which colour
     * @return this
     */
    public Chart mark(Point from, Point to, String colour) {
        stroke(body, px(from.x()), py(from.y()), px(to.x()), py(to.y()), colour, THICK, "");
        return this;
    }

    /**
     * Draws a dashed line from end to end: a limit.
     *
     * @param value where on the y axis; nothing is drawn where the axis does not reach it
     * @param colour which colour
     * @return this
     */
    public Chart limit(double value, String colour) {
        if (value <= y.scale().ticks().getLast().value()) {
            stroke(body, left, py(value), RIGHT_END, py(value), colour, THICK, "6 4");
        }
        return this;
    }

    /**
     * Returns the chart.
     *
     * @return an {@code svg} element
     */
    public String svg() {
        String box = "0 0 " + Markup.number(WIDTH) + " " + Markup.number(TOP + height + BOTTOM);
        Markup svg = new Markup();
        svg.begin("svg", "viewBox", box, "role", "img", "aria-label", title, "font-size", LINE_HEIGHT, "fill", INK);
        // The grid lies below what is drawn, and the axes above it.
        ticks(svg);
        svg.raw(body.toString());
        double bottom = TOP + height;
        stroke(svg, left, TOP, left, bottom, INK, 1, "");
        stroke(svg, left, bottom, RIGHT_END, bottom, INK, 1, "");
        text(svg, x.label(), (left + RIGHT_END) / 2, bottom + BOTTOM - LABEL_GAP, "middle", "");
        double middle = TOP + height / 2;
        String upwards = "rotate(-90 " + Markup.number(LINE_HEIGHT) + " " + Markup.number(middle) + ")";
        text(svg, y.label(), LINE_HEIGHT, middle, "middle", upwards);
        return svg.end().toString();
    }

    private void ticks(Markup svg) {
        double bottom = TOP + height;
        for (Scale.Tick tick : y.scale().ticks()) {
            double at = py(tick.value());
            stroke(svg, left - TICK_LENGTH, at, RIGHT_END, at, GRID, 1, "");
            text(svg, tick.label(), left - LABEL_GAP, at + LINE_HEIGHT / 3, "end", "");
        }
        double free = 0;
        for (Scale.Tick tick : x.scale().ticks()) {
            double at = px(tick.value());
            stroke(svg, at, TOP, at, bottom + TICK_LENGTH, GRID, 1, "");
            double half = tick.label().length() * LETTER / 2;
            if (at - half >= free) {
                text(svg, tick.label(), at, bottom + TICK_LABEL, "middle", "");
                free = at + half + LABEL_GAP;
            }
        }
    }

    private static void text(Markup svg, String content, double x, double y, String anchor, String transform) {
        svg.element("text", content, "x", x, "y", y, "text-anchor", anchor, "transform", transform);
    }

    private static void stroke(
            Markup svg, double x1, double y1, double x2, double y2, String colour, double width, String dashes) {
        svg.empty(
                "path",
                "d",
                "M" + Markup.number(x1) + " " + Markup.number(y1) + "L" + Markup.number(x2) + " " + Markup.number(y2),
                "stroke",
                colour,
                "stroke-width",
                width,
                "stroke-dasharray",
                dashes);
    }

    private double px(double value) {
        return left + x.scale().at(value) * (RIGHT_END - left);
    }

    private double py(double value) {
        return TOP + (1 - y.scale().at(value)) * height;
    }
}
