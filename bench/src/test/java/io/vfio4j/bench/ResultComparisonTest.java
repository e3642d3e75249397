// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.tuple;

import io.vfio4j.bench.ResultComparison.Row;
import io.vfio4j.bench.ResultComparison.Score;
import io.vfio4j.bench.ResultComparison.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResultComparisonTest {
    private static final double PERCENT = 5;

    @TempDir
    private Path folder = Path.of("");

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int compare(String... args) {
        return ResultComparison.run(
                args,
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    /** Writes what JMH 1.37 does, shortened; a run of one iteration has no error. */
    private String file(String name, double score, double low, double high) throws IOException {
        Path file = folder.resolve(name);
        Files.writeString(file, """
            [
                {
                    "jmhVersion" : "1.37",
                    "benchmark" : "io.vfio4j.bench.FrameCost.encode",
                    "mode" : "avgt",
                    "threads" : 1,
                    "params" : {
                        "bytes" : "4096"
                    },
                    "primaryMetric" : {
                        "score" : %s,
                        "scoreError" : 1.0,
                        "scoreConfidence" : [
                            %s,
                            %s
                        ],
                        "scoreUnit" : "ns/op",
                        "rawData" : [[1.0, 2.0]]
                    },
                    "secondaryMetrics" : {
                        "gc.count" : {
                            "score" : 0.0,
                            "scoreError" : "NaN",
                            "scoreConfidence" : ["NaN", "NaN"],
                            "scoreUnit" : "counts"
                        },
                        "gc.alloc.rate.norm" : {
                            "score" : 24.0,
                            "scoreError" : 0.0,
                            "scoreConfidence" : [24.0, 24.0],
                            "scoreUnit" : "B/op"
                        }
                    }
                },
                {
                    "benchmark" : "io.vfio4j.bench.PoolCost.acquireAndRelease8",
                    "mode" : "avgt",
                    "threads" : 8,
                    "primaryMetric" : {
                        "score" : 20.0,
                        "scoreError" : "NaN",
                        "scoreConfidence" : ["NaN", "NaN"],
                        "scoreUnit" : "ns/op"
                    }
                }
            ]
            """.formatted(score, low, high));
        return file.toString();
    }

    private static Score score(String mode, double value, double error) {
        return new Score(value, value - error, value + error, "unit", mode);
    }

    private static Verdict verdict(Score before, Score after, double percent) {
        return ResultComparison.of(Map.of("name", before), Map.of("name", after), percent)
                .rows()
                .getFirst()
                .verdict();
    }

    @ParameterizedTest
    @CsvSource({
        "thrpt, 100, 80, WORSE",
        "thrpt, 100, 120, BETTER",
        "avgt, 100, 80, BETTER",
        "avgt, 100, 120, WORSE",
        "ss, 100, 120, WORSE",
        "sample, 100, 120, WORSE"
    })
    void shouldKnowWhichWayIsWorse(String mode, double before, double after, Verdict expected) {
        assertThat(verdict(score(mode, before, 1), score(mode, after, 1), PERCENT))
                .isEqualTo(expected);
    }

    @Test
    void shouldTakeOverlappingIntervalsForNoise() {
        assertThat(verdict(score("avgt", 100, 15), score("avgt", 130, 15), PERCENT))
                .isEqualTo(Verdict.SAME);
        assertThat(verdict(score("avgt", 100, 14), score("avgt", 130, 15), PERCENT))
                .isEqualTo(Verdict.WORSE);
    }

    @Test
    void shouldLeaveSmallChangesAlone() {
        assertThat(verdict(score("avgt", 100, 0), score("avgt", 104.9, 0), PERCENT))
                .isEqualTo(Verdict.SAME);
        assertThat(verdict(score("avgt", 100, 0), score("avgt", 105.1, 0), PERCENT))
                .isEqualTo(Verdict.WORSE);
        assertThat(verdict(score("avgt", 100, 0), score("avgt", 109.9, 0), 10)).isEqualTo(Verdict.SAME);
    }

    @Test
    void shouldNotJudgeWithoutIntervalsOrInOtherUnits() {
        Score known = score("avgt", 100, 1);

        assertThat(verdict(known, score("avgt", 200, Double.NaN), PERCENT)).isEqualTo(Verdict.UNCLEAR);
        assertThat(verdict(known, new Score(1, 1, 1, "another unit", "avgt"), PERCENT))
                .isEqualTo(Verdict.UNCLEAR);
    }

    @Test
    void shouldTakeTwoZerosForTheSame() {
        assertThat(verdict(score("avgt", 0, 0), score("avgt", 0, 0), PERCENT)).isEqualTo(Verdict.SAME);
    }

    @ParameterizedTest
    @CsvSource({"0, 16, WORSE", "16.1, 0.1, BETTER", "0.001, 15, SAME", "0, 0, SAME", "1000, 1100, WORSE"})
    void shouldTellAllocationsFromThoseOfJmhItself(double before, double after, Verdict expected) {
        assertThat(verdict(score("gc.alloc.rate.norm", before, 0), score("gc.alloc.rate.norm", after, 0), PERCENT))
                .isEqualTo(expected);
    }

    @Test
    void shouldNameWhatOneRunDoesNotHave() {
        Score any = score("avgt", 100, 1);

        List<Row> rows = ResultComparison.of(Map.of("old", any), Map.of("new", any), PERCENT)
                .rows();

        assertThat(rows)
                .extracting(Row::name, Row::verdict)
                .containsExactly(tuple("old", Verdict.REMOVED), tuple("new", Verdict.ADDED));
    }

    @Test
    void shouldReadWhatJmhWrites() throws Exception {
        Map<String, Score> scores = ResultComparison.read(Path.of(file("a.json", 100, 99, 101)));

        assertThat(scores)
                .containsOnlyKeys(
                        "FrameCost.encode bytes=4096 [avgt]",
                        "FrameCost.encode bytes=4096 [gc.alloc.rate.norm]",
                        "PoolCost.acquireAndRelease8 threads=8 [avgt]")
                .containsEntry("FrameCost.encode bytes=4096 [avgt]", new Score(100, 99, 101, "ns/op", "avgt"))
                .containsEntry(
                        "FrameCost.encode bytes=4096 [gc.alloc.rate.norm]",
                        new Score(24, 24, 24, "B/op", "gc.alloc.rate.norm"));
    }

    @Test
    void shouldEndWithOneWhereSomethingGotWorse() throws Exception {
        int status = compare(file("a.json", 100, 99, 101), file("b.json", 150, 149, 151));

        assertThat(status).isEqualTo(1);
        assertThat(out.toString(StandardCharsets.UTF_8))
                .startsWith("worse     +50.0 %  100.0 [99.00, 101.0] ns/op -> 150.0 [149.0, 151.0] ns/op  "
                        + "FrameCost.encode bytes=4096 [avgt]\n")
                .doesNotContain("[gc.alloc.rate.norm]")
                .endsWith("1 worse, 0 better, 1 the same (intervals overlap, or not more than 5 %), "
                        + "1 unclear, 0 added, 0 removed\n");
    }

    @Test
    void shouldEndWithZeroWhereNothingGotWorse() throws Exception {
        String slow = file("a.json", 150, 149, 151);
        String fast = file("b.json", 100, 99, 101);

        assertThat(compare(slow, fast)).isZero();
        assertThat(compare(fast, slow, "60")).isZero();
        assertThat(compare(fast, fast)).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{}",
                "[{}]",
                "[null]",
                "[{\"benchmark\": \"a.b\", \"mode\": \"avgt\"}]",
                "[{\"benchmark\": \"a.b\", \"mode\": \"avgt\", \"primaryMetric\": {\"score\": 1}}]",
                "[{\"benchmark\": \"a.b\", \"mode\": \"avgt\", \"primaryMetric\":"
                        + " {\"score\": 1, \"scoreUnit\": \"ns/op\", \"scoreConfidence\": [null, 1]}}]",
                "no JSON"
            })
    void shouldRefuseWhatIsNoResult(String text) throws Exception {
        Path file = folder.resolve("bad.json");
        Files.writeString(file, text);

        assertThatIOException().isThrownBy(() -> ResultComparison.read(file)).withMessageContaining(file.toString());
        assertThat(compare(file.toString(), file.toString())).isEqualTo(2);
        assertThat(out.size()).isZero();
    }

    @Test
    void shouldRefuseWrongArguments() throws Exception {
        String good = file("a.json", 100, 99, 101);

        assertThat(compare(good)).isEqualTo(2);
        assertThat(compare(good, good, "many")).isEqualTo(2);
        assertThat(compare(good, good, "-1")).isEqualTo(2);
        assertThat(compare(good, folder.resolve("none.json").toString())).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains("two files", "'many' is no percentage", "'-1' is no percentage", "no such file");
    }
}
