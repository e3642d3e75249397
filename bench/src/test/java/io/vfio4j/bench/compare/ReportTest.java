// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import static io.vfio4j.bench.compare.Samples.LAB;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.bench.compare.Scenario.Place;
import io.vfio4j.bench.compare.Scenario.Route;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

class ReportTest {
    private static final Comparison COMPARISON = new Comparison(List.of(
            Samples.of(LAB, "C", 1, 1000, 10, 1),
            Samples.of(LAB, "vfio4j", 1, 500, 11, 1.5),
            Samples.of(LAB, "C", 2, 800, 10, 1),
            Samples.of(LAB, "vfio4j", 2, 480, 12, 1.5),
            Measurement.failed(LAB, "QEMU", 1, "did not converge within 20 s")));

    @TempDir
    private Path folder = Path.of("");

    @Test
    void shouldKeepFactsAndMeasurementsInAFile() throws IOException {
        Results results = new Results(folder.resolve("results.jsonl"));
        Measurement failed = Measurement.failed(LAB, "QEMU", 1, "did not converge within 20 s");
        results.facts(Map.of("machine", "m"));
        results.add(COMPARISON.measurements().getFirst());
        results.facts(Map.of("machine", "m"));
        results.add(failed);

        assertThat(results.measurements())
                .containsExactly(COMPARISON.measurements().getFirst(), failed);
        assertThat(results.facts()).containsExactly("machine: m");
    }

    @Test
    void shouldShowMediansRatiosAndWhatIsMetOrMissed() {
        String text = TextReport.of(List.of("machine: m"), COMPARISON);

        assertThat(text)
                .startsWith("machine: m\n")
                .containsPattern("vfio4j +490 \\(480\\.\\.\\.500\\)")
                .containsPattern("vfio4j / C +0\\.55 \\(0\\.50\\.\\.\\.0\\.60\\)")
                .containsPattern("pre-copy, against C +>= 0\\.95 .* C +0\\.55 .*MISSED")
                .containsPattern("downtime, against C +<= 1\\.25 .* C +1\\.15 .*met")
                .containsPattern("save to a file, against C +>= 0\\.95 +not measured")
                .contains("round 1, QEMU: did not converge within 20 s");
    }

    @Test
    void shouldMakeAPageThatNeedsNothingElse() throws Exception {
        String html = HtmlReport.of(List.of("a <fact> & \"more\""), COMPARISON);

        assertThat(html)
                .contains("a &lt;fact&gt; &amp; &quot;more&quot;", "<svg ", "<circle ")
                .doesNotContainPattern(Pattern.compile("https?:|src=|url\\(|<script|<link"));
        // Well-formed, so that no text of a peer can break it.
        String xml = html.replace("<!DOCTYPE html>", "").replace("<meta charset=\"utf-8\">", "");
        assertThat(DocumentBuilderFactory.newInstance()
                        .newDocumentBuilder()
                        .parse(new InputSource(new StringReader(xml)))
                        .getElementsByTagName("svg")
                        .getLength())
                .isEqualTo(4);
    }

    @Test
    void shouldVaryOneThingAtATime() {
        assertThat(Scenario.around(LAB, List.of(64), List.of(2), List.of("half"), List.of(Route.UNIX)))
                .containsExactly(
                        LAB,
                        new Scenario(Place.LAB, 2, Route.UNIX, 1, 256, "0"),
                        new Scenario(Place.LAB, 2, Route.TCP, 1, 256, "half"),
                        new Scenario(Place.LAB, 2, Route.TCP, 2, 128, "0"),
                        new Scenario(Place.LAB, 2, Route.TCP, 1, 64, "0"));
    }

    @Test
    void shouldShareHalfOfTheLinkBetweenTheDevices() {
        assertThat(new Scenario(Place.LAB, 2, Route.TCP, 4, 64, Scenario.HALF).dirtyBytesPerSecond(800))
                .isEqualTo(100);
        assertThat(new Scenario(Place.LAB, 2, Route.TCP, 4, 64, "3").dirtyBytesPerSecond(800))
                .isEqualTo(3 << 20);
    }
}
