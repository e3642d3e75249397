// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.vfio4j.emulator.OpenDevice.Reply;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Compares every transition with what a real kernel answered, for all four sets of migration flags. */
class StateMachineTest {
    private static final List<String> STATES =
            List.of("ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P");
    private static final Pattern CELL = Pattern.compile("(\\w+) +-> (\\w+) +ret=(-?\\d+) fd=(new|-1) now=(\\w+)");
    private static final Pattern NOT_ENTERABLE = Pattern.compile("(\\w+) +not enterable: (-\\d+)");
    private static final Pattern PROBE = Pattern.compile("probe PRECOPY_INFOv2 SET: (.*)");
    private static final Pattern FLAGS = Pattern.compile("migration_flags=(\\d+)");

    /** A line of the recording that matches a pattern, and the migration flags it was recorded with. */
    private record Line(int flags, MatchResult match) {
        String text(int group) {
            return match.group(group);
        }
    }

    @TestFactory
    Stream<DynamicTest> shouldAnswerAsTheRecordedKernel() throws IOException {
        List<Line> cells = recorded(CELL);
        assertThat(cells).hasSize(40 + 50 + 50 + 70);
        return cells.stream()
                .map(cell -> dynamicTest("flags " + cell.flags + ": " + cell.text(0), () -> {
                    try (Bench bench = new Bench()) {
                        OpenDevice device = enter(bench, cell.flags, state(cell.text(1)));
                        Reply reply = device.set(state(cell.text(2)));
                        assertThat(reply.result()).isEqualTo(Integer.parseInt(cell.text(3)));
                        if (cell.text(4).equals("new")) {
                            assertThat(reply.dataFd()).isNotNegative();
                        } else {
                            assertThat(reply.dataFd()).isEqualTo(-1);
                        }
                        assertThat(device.state()).isEqualTo(state(cell.text(5)));
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> shouldRefuseStatesThatTheFlagsDoNotHave() throws IOException {
        List<Line> lines = recorded(NOT_ENTERABLE);
        assertThat(lines).hasSize(3 + 2 + 2);
        return lines.stream()
                .map(line -> dynamicTest("flags " + line.flags + ": " + line.text(0), () -> {
                    try (Bench bench = new Bench()) {
                        OpenDevice device = bench.open(spec(line.flags));
                        assertThat(device.set(state(line.text(1))))
                                .isEqualTo(new Reply(Integer.parseInt(line.text(2)), -1));
                        assertThat(device.state()).isEqualTo(Vfio.VFIO_DEVICE_STATE_RUNNING);
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> shouldOfferPrecopyInfoV2WithPreCopyOnly() throws IOException {
        List<Line> lines = recorded(PROBE);
        assertThat(lines).hasSize(4);
        return lines.stream()
                .map(line -> dynamicTest("flags " + line.flags + ": " + line.text(0), () -> {
                    try (Bench bench = new Bench()) {
                        OpenDevice device = bench.open(spec(line.flags));
                        assertThat(device.features()).isEqualTo(line.flags);
                        assertThat(device.probe(Vfio.VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, OpenDevice.SET))
                                .isEqualTo(line.text(1).equals("ok") ? 0 : Errno.EINVAL.negated());
                    }
                }));
    }

    @Test
    void shouldLeaveErrorByResetOnly() {
        try (Bench bench = new Bench()) {
            OpenDevice device = bench.open(spec(7));
            device.device.enterError();
            for (int to = 1; to < 10; to++) {
                assertThat(device.set(to)).isEqualTo(new Reply(Errno.EINVAL.negated(), -1));
            }
            assertThat(device.set(Vfio.VFIO_DEVICE_STATE_ERROR)).isEqualTo(new Reply(0, -1));
            assertThat(device.state()).isEqualTo(Vfio.VFIO_DEVICE_STATE_ERROR);
            assertThat(device.fd.reset()).isZero();
            assertThat(device.state()).isEqualTo(Vfio.VFIO_DEVICE_STATE_RUNNING);
        }
    }

    private static OpenDevice enter(Bench bench, int flags, int state) {
        OpenDevice device = bench.open(spec(flags));
        if (state == Vfio.VFIO_DEVICE_STATE_RESUMING) {
            // The recorded device had all it wanted when it was taken out of RESUMING; so has this one.
            byte[] saved = bench.drain(device.open(Vfio.VFIO_DEVICE_STATE_STOP_COPY));
            assertThat(bench.write(device.open(state), saved)).isZero();
        } else {
            assertThat(device.set(state).result()).isZero();
        }
        assertThat(device.state()).isEqualTo(state);
        return device;
    }

    private static String spec(int flags) {
        return "emulated:size=4KiB,p2p=" + ((flags & Vfio.VFIO_MIGRATION_P2P) != 0 ? "on" : "off") + ",precopy="
                + ((flags & Vfio.VFIO_MIGRATION_PRE_COPY) != 0 ? "on" : "off");
    }

    private static int state(String name) {
        int index = STATES.indexOf(name);
        return index >= 0 ? index : Integer.parseInt(name);
    }

    private static List<Line> recorded(Pattern pattern) throws IOException {
        List<Line> found = new ArrayList<>();
        try (InputStream stream =
                        Objects.requireNonNull(StateMachineTest.class.getResourceAsStream("/fsm-matrix.txt"));
                BufferedReader reader = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
            int flags = 0;
            for (String line : reader.lines().toList()) {
                Matcher section = FLAGS.matcher(line);
                if (section.matches()) {
                    flags = Integer.parseInt(section.group(1));
                }
                Matcher matcher = pattern.matcher(line);
                if (matcher.matches()) {
                    found.add(new Line(flags, matcher.toMatchResult()));
                }
            }
        }
        return found;
    }
}
