// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.cli.plot.Chart.Axis;
import io.vfio4j.cli.plot.Chart.Point;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

class ChartTest {
    private static final String COLOUR = "#123456";

    private final Chart chart = new Chart(
            "A & B",
            new Axis("time", Scale.linear(10, 5, Unit.ONE)),
            new Axis("rate", Scale.linear(100, 5, Unit.ONE)),
            200);

    /** The chart's elements of a kind that are drawn in the test's colour. */
    private static List<Element> drawn(String svg, String kind) throws Exception {
        Element root = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)))
                .getDocumentElement();
        NodeList all = root.getElementsByTagName(kind);
        List<Element> found = new ArrayList<>();
        for (int i = 0; i < all.getLength(); i++) {
            Element element = (Element) all.item(i);
            if (COLOUR.equals(element.getAttribute("stroke")) || COLOUR.equals(element.getAttribute("fill"))) {
                found.add(element);
            }
        }
        return found;
    }

    private static double number(Element element, String attribute) {
        return Double.parseDouble(element.getAttribute(attribute));
    }

    @Test
    void shouldPlacePointsBetweenTheAxes() throws Exception {
        String svg = chart.dots(List.of(new Point(0, 0), new Point(5, 50), new Point(10, 100)), COLOUR)
                .svg();

        List<Element> dots = drawn(svg, "circle");
        assertThat(dots).hasSize(3);
        double left = number(dots.get(0), "cx");
        double right = number(dots.get(2), "cx");
        assertThat(number(dots.get(1), "cx")).isEqualTo((left + right) / 2);
        assertThat(number(dots.get(0), "cy")).isEqualTo(214);
        assertThat(number(dots.get(1), "cy")).isEqualTo(114);
        assertThat(number(dots.get(2), "cy")).isEqualTo(14);
    }

    @Test
    void shouldKeepToItsRoomWhenValuesLieOutside() throws Exception {
        String svg = chart.bar(new Point(-5, -50), new Point(500, 5_000), COLOUR, "all")
                .svg();

        Element bar = drawn(svg, "rect").getFirst();
        assertThat(number(bar, "y")).isEqualTo(14);
        assertThat(number(bar, "height")).isEqualTo(200);
        assertThat(number(bar, "x") + number(bar, "width")).isLessThan(800);
        assertThat(bar.getTextContent()).isEqualTo("all");
    }

    @Test
    void shouldDrawNoBarWithoutHeight() throws Exception {
        assertThat(drawn(
                        chart.bar(new Point(1, 5), new Point(2, 5), COLOUR, "nothing")
                                .svg(),
                        "rect"))
                .isEmpty();
    }

    @Test
    void shouldStayAtAValueUpToTheNextWhenStepping() throws Exception {
        String svg = chart.steps(List.of(new Point(0, 0), new Point(5, 100), new Point(10, 50)), COLOUR)
                .svg();

        String[] places =
                drawn(svg, "polyline").getFirst().getAttribute("points").split(" ");
        assertThat(places).hasSize(5);
        assertThat(places[1]).endsWith(",214");
        assertThat(places[2]).endsWith(",14").startsWith(places[1].substring(0, places[1].indexOf(',')));
        assertThat(places[3]).endsWith(",14");
        assertThat(places[4]).endsWith(",114");
    }

    @Test
    void shouldDrawNoLineThroughFewerThanTwoPoints() throws Exception {
        chart.line(List.of(), COLOUR).line(List.of(new Point(1, 1)), COLOUR).steps(List.of(), COLOUR);

        assertThat(drawn(chart.svg(), "polyline")).isEmpty();
    }

    @Test
    void shouldDrawALimitOnlyWhereTheAxisReaches() throws Exception {
        assertThat(drawn(chart.limit(101, COLOUR).svg(), "path")).isEmpty();
        assertThat(drawn(chart.limit(100, COLOUR).svg(), "path")).hasSize(1);
    }

    @Test
    void shouldCapARangeAtBothEnds() throws Exception {
        assertThat(drawn(chart.range(new Point(1, 1), new Point(1, 9), COLOUR).svg(), "path"))
                .hasSize(3);
    }

    @Test
    void shouldLeaveOutLabelsThatWouldOverlap() throws Exception {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            names.add("a rather long name " + i);
        }
        String svg = new Chart(
                        "crowd", new Axis("", Scale.categories(names)), new Axis("", Scale.linear(1, 1, Unit.ONE)), 100)
                .svg();

        assertThat(names.stream().filter(name -> svg.contains(">" + name + "<")))
                .hasSizeBetween(3, 6);
    }

    @Test
    void shouldSayWhatItShowsToWhoCannotSeeIt() {
        assertThat(chart.svg()).contains("role=\"img\"", "aria-label=\"A &amp; B\"");
    }
}
