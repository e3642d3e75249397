// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The report as a person sees it: drawn by a real browser, and measured there. */
class ReportInBrowserTest {
    private static final int WIDE = 1200;
    private static final int NARROW = 500;
    private static final int HIGH = 6000;

    /** Coloured, as opposed to ink, grid and paper. */
    private static final int COLOURED = 60;

    private static final Pattern FINDINGS = Pattern.compile("<pre id=\"findings\">([^<]*)</pre>");

    /** Looks at every chart: what is drawn in it, and which of its texts lie on each other or stick out. */
    private static final String SCRIPT = """
            <script>
            const box = e => e.getBoundingClientRect();
            const round = b => ({x: Math.round(b.x), y: Math.round(b.y), width: Math.round(b.width), height: Math.round(b.height)});
            const meet = (a, b) => a.right - b.left > 1 && b.right - a.left > 1 && a.bottom - b.top > 1 && b.bottom - a.top > 1;
            const charts = [...document.querySelectorAll('svg')].map(svg => {
              const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent);
              const marks = [...svg.querySelectorAll('rect, polyline, circle')];
              return {
                label: svg.getAttribute('aria-label'),
                box: round(box(svg)),
                marks: marks.filter(m => box(m).width > 0 || box(m).height > 0).length,
                texts: texts.length,
                overlaps: texts.flatMap((a, i) => texts.slice(i + 1).filter(b => meet(box(a), box(b)))
                    .map(b => a.textContent + ' / ' + b.textContent)),
                outside: [...texts, ...marks].filter(e => box(e).left < box(svg).left - 1 || box(e).right > box(svg).right + 1
                    || box(e).top < box(svg).top - 1 || box(e).bottom > box(svg).bottom + 1).map(e => e.outerHTML)
              };
            });
            const pre = document.createElement('pre');
            pre.id = 'findings';
            pre.textContent = encodeURIComponent(JSON.stringify({
              title: document.title,
              width: document.documentElement.scrollWidth,
              height: document.documentElement.scrollHeight,
              room: window.innerWidth,
              loaded: performance.getEntriesByType('resource').length,
              charts: charts
            }));
            document.body.appendChild(pre);
            console.log('all was measured');
            </script>
            """;

    @TempDir
    private Path folder;

    private Browser browser;

    @BeforeEach
    void findBrowser() {
        browser = Browser.find(folder);
    }

    /** The page, and beside it a copy that measures itself; the page's own policy would not let it. */
    private Map<String, Object> measured(Path page, int width) throws Exception {
        String text = Files.readString(page);
        String open = text.replaceFirst("<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "")
                .replace("</body>", SCRIPT + "</body>");
        assertThat(open).isNotEqualTo(text);
        Path copy = Files.writeString(folder.resolve("measuring.html"), open);
        Browser.Output output = browser.dom(copy, width, HIGH);
        assertThat(output.err()).as("what goes to the console is seen").contains("all was measured");
        Matcher matcher = FINDINGS.matcher(output.out());
        assertThat(matcher.find()).as(output.out()).isTrue();
        return TestJson.object(URLDecoder.decode(matcher.group(1), StandardCharsets.UTF_8));
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> charts(Map<String, Object> measured) {
        return (List<Map<String, Object>>) Objects.requireNonNull(measured.get("charts"));
    }

    private static void assertLegible(Map<String, Object> measured) {
        assertThat((Long) measured.get("width"))
                .as("nothing sticks out of the page")
                .isLessThanOrEqualTo((Long) measured.get("room"));
        assertThat(measured).as("nothing was loaded").containsEntry("loaded", 0L);
        assertThat(charts(measured)).isNotEmpty().allSatisfy(chart -> {
            assertThat(chart.get("overlaps"))
                    .as("%s: overlaps", chart.get("label"))
                    .isEqualTo(List.of());
            assertThat(chart.get("outside"))
                    .as("%s: outside", chart.get("label"))
                    .isEqualTo(List.of());
            assertThat((Long) chart.get("texts")).isGreaterThan(3);
            assertThat(number(chart, "width")).isGreaterThan(300);
            assertThat(number(chart, "height")).isGreaterThan(40);
        });
    }

    /** A measure of the chart's place on the page, in pixels. */
    private static int number(Map<String, Object> chart, String name) {
        Map<?, ?> box = (Map<?, ?>) Objects.requireNonNull(chart.get("box"));
        return Math.toIntExact((Long) Objects.requireNonNull(box.get(name)));
    }

    private static boolean isDrawn(Map<String, Object> chart) {
        return (Long) Objects.requireNonNull(chart.get("marks")) > 0;
    }

    @Test
    void shouldShowEveryPartOfAMeasurement() throws Exception {
        Path out = folder.resolve("report");
        CliRun.of("bench", "emulated:size=16MiB,dirty=8MiB/s", "--runs", "8", "--out", out.toString())
                .succeeds();
        Path page = out.resolve("report.html");

        Map<String, Object> measured = measured(page, WIDE);

        assertLegible(measured);
        assertThat(measured.get("title")).isEqualTo("vfio4j bench emulated:size=16MiB,dirty=8MiB/s");
        assertThat(charts(measured))
                .extracting(chart -> chart.get("label"))
                .containsExactly(
                        "Downtime of each run, by its parts",
                        "Percentiles of the downtime and its parts",
                        "Rate over time, and the phases",
                        "Rate by chunk size",
                        "What has changed since it was read",
                        "How long each arc takes");
        assertThat(charts(measured)).allMatch(ReportInBrowserTest::isDrawn);
        assertThat(browser.dom(page, WIDE, HIGH).err())
                .as("the page itself has nothing to say")
                .doesNotContain("CONSOLE");
        Picture picture = picture(page);
        assertThat(brightness(picture.rgb(1, 1))).as("the paper").isGreaterThan(200);
        assertColoured(picture, measured);
    }

    @Test
    void shouldBeDarkForWhoPrefersThat() throws Exception {
        String text = new BenchPage(SomeFindings.many(20), Instant.EPOCH).html();
        String dark = text.replace("(prefers-color-scheme: dark)", "(min-width: 1px)");
        assertThat(dark).isNotEqualTo(text);
        Path page = Files.writeString(folder.resolve("dark.html"), dark);

        Map<String, Object> measured = measured(page, WIDE);

        Picture picture = picture(page);
        assertThat(brightness(picture.rgb(1, 1))).as("the paper").isLessThan(50);
        assertColoured(picture, measured);
    }

    private Picture picture(Path page) throws Exception {
        return Picture.read(browser.screenshot(page, WIDE, HIGH));
    }

    private static int brightness(int rgb) {
        return ((rgb >> 16 & 0xff) + (rgb >> 8 & 0xff) + (rgb & 0xff)) / 3;
    }

    /** What was measured in the copy is where the page has it, and is not only there but seen. */
    private static void assertColoured(Picture picture, Map<String, Object> measured) {
        List<String> pale = new ArrayList<>();
        for (Map<String, Object> chart : charts(measured)) {
            int coloured = 0;
            for (int x = 0; x < number(chart, "width"); x++) {
                for (int y = 0; y < number(chart, "height"); y++) {
                    if (isColoured(picture.rgb(number(chart, "x") + x, number(chart, "y") + y))) {
                        coloured++;
                    }
                }
            }
            if (coloured < COLOURED) {
                pale.add(chart.get("label") + ": " + coloured + " coloured pixels");
            }
        }
        assertThat(pale).isEmpty();
    }

    private static boolean isColoured(int rgb) {
        int red = rgb >> 16 & 0xff;
        int green = rgb >> 8 & 0xff;
        int blue = rgb & 0xff;
        return Math.max(red, Math.max(green, blue)) - Math.min(red, Math.min(green, blue)) > COLOURED;
    }

    @ParameterizedTest
    @CsvSource({"1, 1200", "1, 500", "20, 500", "1000, 1200"})
    void shouldStayLegibleWhateverWasMeasured(int runs, int width) throws Exception {
        assertThat(width).isIn(WIDE, NARROW);
        Path page = Files.writeString(
                folder.resolve("some.html"), new BenchPage(SomeFindings.many(runs), Instant.EPOCH).html());

        Map<String, Object> measured = measured(page, width);

        assertLegible(measured);
        assertThat(charts(measured)).hasSize(6).allMatch(ReportInBrowserTest::isDrawn);
    }

    @ParameterizedTest
    @CsvSource({"1200", "500"})
    void shouldStayLegibleWhenThereIsNextToNothingToShow(int width) throws Exception {
        Path page = Files.writeString(
                folder.resolve("least.html"), new BenchPage(SomeFindings.least(), Instant.EPOCH).html());

        Map<String, Object> measured = measured(page, width);

        assertLegible(measured);
        assertThat(charts(measured)).hasSize(5);
        assertThat(browser.dom(page, width, HIGH).out())
                .contains("&lt;script&gt;alert(1)&lt;/script&gt;")
                .doesNotContain("<script>");
    }
}
