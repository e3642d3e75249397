// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Commands whose peer is connected already. */
class GivenFdsTest {
    private static final String BIG = "emulated:size=4MiB,dirty=1MiB/s";
    private static final String SMALL = "emulated:size=1MiB";

    private final LibC libc = LibC.system();
    private final List<Integer> here = new ArrayList<>();
    private final List<Integer> there = new ArrayList<>();

    @AfterEach
    void close() {
        here.addAll(there);
        here.forEach(fd -> assertThat(libc.close(fd)).as("it is still open").isZero());
    }

    private void connect(int count) {
        try (Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < count; i++) {
                MemorySegment pair = arena.allocate(JAVA_INT, 2);
                assertThat(libc.socketpair(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, pair))
                        .isZero();
                here.add(pair.getAtIndex(JAVA_INT, 0));
                there.add(pair.getAtIndex(JAVA_INT, 1));
            }
        }
    }

    private static String word(List<Integer> fds) {
        return "fd:" + fds.stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    @Test
    void shouldSendAndReceiveOverSocketsOfTheProcess() {
        connect(3);

        CliRun receiver = CliRun.start("receive", BIG, SMALL, word(there), "--json");
        CliRun sender = CliRun.of("send", BIG, SMALL, word(here), "--json").succeeds();

        receiver.succeeds();
        assertThat(sender.json()).containsEntry("to", word(here)).containsEntry("outcome", "completed");
        assertThat(receiver.json()).containsEntry("from", word(there)).containsEntry("outcome", "completed");
    }

    @Test
    void shouldSayHowManySocketsAreNeeded() {
        connect(1);

        CliRun run = CliRun.of("send", BIG, word(here)).failsWith(ExitCode.TRANSPORT);

        assertThat(run.leavesSourceRunning().err())
                .contains("1 handler needs 2 connections, one for control and one for each, and 1 is given");
    }

    @Test
    void shouldSayWhatIsWrongWithTheFdsThatAreNoSockets() {
        CliRun send = CliRun.of("send", BIG, "fd:1000000,1000001").failsWith(ExitCode.TRANSPORT);
        CliRun receive = CliRun.of("receive", BIG, "fd:1000000,1000001").failsWith(ExitCode.TRANSPORT);

        assertThat(send.leavesSourceRunning().err())
                .contains("error: fd:1000000: cannot be used: it is not open in this process");
        assertThat(receive.err()).contains("error: fd:1000000: cannot be used: it is not open in this process");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "fd:     | names no peer or file; use tcp:HOST:PORT, unix:PATH, fd:N,N... or file:PATH",
                "fd:3,x  | names no peer or file",
                "fd:3,3  | fd 3 is named twice; each connection has its own",
            })
    void shouldRefuseFdsThatAreNone(String peer, String message) {
        CliRun run = CliRun.of("send", SMALL, peer);

        assertThat(run.exit()).isEqualTo(ExitCode.USAGE.code());
        assertThat(run.err()).contains(message).doesNotContain("Exception");
    }
}
