// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.cli.ProgressPrinter.Mode;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.AfterSwitchover;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a person sees: the progress line, the table, numbers. */
class RenderingTest {
    private static final long MS = 1_000_000;
    private static final long SECOND = 1000 * MS;
    private static final String ERASE = "\r\u001b[K";

    private final StringWriter written = new StringWriter();

    private static MigrationProgress preCopy(int round, long bytes) {
        return new MigrationProgress(Phase.PRE_COPY, round, bytes, 950L << 20, 12L << 20, 24 * MS);
    }

    private ProgressPrinter printer(Mode mode, int columns) {
        return new ProgressPrinter(new PrintWriter(written), mode, () -> columns);
    }

    private String taken() {
        String text = written.toString();
        written.getBuffer().setLength(0);
        return text;
    }

    @Test
    void shouldShowPhaseRoundRateRestAndPredictionWhenOnATerminal() {
        ProgressPrinter printer = printer(Mode.AUTO, 120);
        printer.onPhase(Phase.PRE_COPY);
        printer.onProgress(preCopy(1, 74L << 20));
        printer.paint(1);
        printer.onProgress(preCopy(2, 1L << 30));
        taken();

        printer.paint(SECOND + 1);

        assertThat(taken())
                .isEqualTo(ERASE + "pre-copy round 2: 1.00 GiB, 950 MiB/s, 12.0 MiB left, downtime now 24 ms");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 10, 40, 80})
    void shouldNeverReachTheLastColumnWhenTheTerminalIsNarrow(int columns) {
        ProgressPrinter printer = printer(Mode.AUTO, columns);
        printer.onPhase(Phase.PRE_COPY);
        printer.onProgress(preCopy(2, 1L << 30));

        printer.paint(0);

        assertThat(taken().substring(ERASE.length())).hasSizeLessThan(columns);
    }

    @Test
    void shouldRemoveTheLineBeforeOtherLinesAndAtTheEndWhenOnATerminal() {
        ProgressPrinter printer = printer(Mode.AUTO, 80);
        printer.onPhase(Phase.SETUP);
        printer.paint(0);
        taken();

        printer.onNotice("turned away somebody");
        printer.paint(1);
        assertThat(taken()).isEqualTo(ERASE + "note: turned away somebody\n" + ERASE + "setup");

        printer.close();
        assertThat(taken()).endsWith(ERASE);
    }

    @Test
    void shouldPrintALinePerPhaseAndSecondWhenThereIsNoTerminal() {
        ProgressPrinter printer = printer(Mode.AUTO, 0);
        printer.onPhase(Phase.SETUP);
        printer.onPhase(Phase.PRE_COPY);
        printer.paint(0);
        assertThat(taken()).isEqualTo("setup\npre-copy\n");

        printer.onProgress(preCopy(1, 0));
        printer.paint(SECOND / 2);
        assertThat(taken()).isEmpty();

        printer.onProgress(preCopy(1, 100L << 20));
        printer.paint(SECOND);
        assertThat(taken()).isEqualTo("pre-copy round 1: 100 MiB, 200 MiB/s, 12.0 MiB left, downtime now 24 ms\n");
        printer.paint(SECOND + SECOND / 2);
        assertThat(taken()).isEmpty();
    }

    @Test
    void shouldPrintLinesOnATerminalWhenTheyWereAskedFor() {
        ProgressPrinter printer = printer(Mode.PLAIN, 80);
        printer.onPhase(Phase.SETUP);
        printer.paint(0);

        assertThat(taken()).isEqualTo("setup\n");
    }

    @Test
    void shouldRedrawPartAndStepWhenOnATerminal() {
        ProgressPrinter printer = printer(Mode.AUTO, 80);
        printer.part("downtime");
        printer.paint(0);
        assertThat(taken()).isEqualTo(ERASE + "downtime");

        printer.step("run 1 of 20");
        printer.paint(1);
        assertThat(taken()).isEqualTo(ERASE + "downtime: run 1 of 20");
        printer.close();
        assertThat(taken()).endsWith(ERASE);
    }

    @Test
    void shouldPrintEachPartAndAStepASecondWhenThereIsNoTerminal() {
        ProgressPrinter printer = printer(Mode.AUTO, 0);
        printer.part("arcs");
        printer.part("downtime");
        printer.step("run 1 of 20");
        printer.paint(0);
        assertThat(taken()).isEqualTo("arcs\ndowntime\n");

        printer.step("run 2 of 20");
        printer.paint(SECOND / 2);
        assertThat(taken()).isEmpty();
        printer.paint(SECOND);
        assertThat(taken()).isEqualTo("downtime: run 2 of 20\n");
        printer.paint(3 * SECOND);
        assertThat(taken()).isEmpty();
    }

    @Test
    void shouldPrintNoPartsWhenProgressIsOff() {
        ProgressPrinter printer = printer(Mode.NONE, 80);
        printer.part("arcs");
        printer.step("lap 1 of 20");
        printer.paint(2 * SECOND);

        assertThat(taken()).isEmpty();
    }

    @Test
    void shouldStillPrintTheAddressAndNoticesWhenProgressIsOff() {
        ProgressPrinter printer = printer(Mode.NONE, 80);
        printer.onPhase(Phase.SETUP);
        printer.onListening("tcp:127.0.0.1:4444");
        printer.onNotice("hear, hear");
        printer.paint(0);

        assertThat(taken()).isEqualTo("listening on tcp:127.0.0.1:4444\nnote: hear, hear\n");
    }

    @Test
    void shouldShowTheRateThatWasReachedWhenReceiving() {
        ProgressPrinter printer = printer(Mode.AUTO, 80);
        printer.onPhase(Phase.RECEIVING);
        printer.onProgress(new MigrationProgress(Phase.RECEIVING, 0, 0, -1, -1, -1));
        printer.paint(1);
        printer.onProgress(new MigrationProgress(Phase.RECEIVING, 0, 100L << 20, -1, -1, -1));
        taken();
        printer.paint(SECOND + 1);

        assertThat(taken()).isEqualTo(ERASE + "receiving: 100 MiB, 100 MiB/s");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1023, 1023 B",
        "1024, 1.00 KiB",
        "10239, 10.0 KiB",
        "1048575, 1.00 MiB",
        "1073741824, 1.00 GiB",
        "1288490188, 1.20 GiB",
        "9223372036854775807, 8.00 EiB"
    })
    void shouldShowThreeDigitsWhenBytesAreShown(long bytes, String shown) {
        assertThat(Format.bytes(bytes)).isEqualTo(shown);
    }

    @Test
    void shouldAddUpToTheTotalWhenThePartsOfTheDowntimeAreRounded() {
        Downtime downtime = new Downtime(1_499, 2_501, 3_333_333, 20_000_499, 1_499, 999_500);
        Downtime predicted = new Downtime(0, MS, 2 * MS, 20 * MS, MS, MS);
        MigrationReport report = new MigrationReport(
                1L << 30,
                20L << 20,
                3,
                SECOND,
                2 * SECOND,
                1L << 30,
                predicted,
                downtime,
                AfterSwitchover.NONE,
                List.of());
        Result result = new Result("migrate");
        result.report(report, MigrationParameters.DEFAULT.limits());

        List<Long> micros = result.table().stream()
                .dropWhile(line -> !line.startsWith("downtime"))
                .map(RenderingTest::micros)
                .toList();
        assertThat(micros).hasSize(7);
        assertThat(micros.subList(1, 7).stream().mapToLong(Long::longValue).sum())
                .isEqualTo(micros.getFirst());
        assertThat(String.join("\n", result.table()))
                .contains(
                        "pre-copy",
                        "1.00 GiB",
                        "in 3 rounds",
                        "1.02 GiB",
                        "predicted 25 ms, limit 300 ms",
                        "predicted 20 ms");
    }

    @Test
    void shouldWriteTextsThatAReaderUnderstandsWhenTheyHoldSpecialCharacters() {
        String text = "a \"quoted\"\\ line\nand\tsome \u0001 → more";

        assertThat(TestJson.object(Json.write(Map.of(text, List.of(text, 1, true)))))
                .isEqualTo(Map.of(text, List.of(text, 1L, true)));
    }

    private static long micros(String line) {
        Matcher matcher = Pattern.compile("(\\d+)\\.(\\d{3}) ms").matcher(line);
        assertThat(matcher.find()).as(line).isTrue();
        return Long.parseLong(matcher.group(1)) * 1000 + Long.parseLong(matcher.group(2));
    }
}
