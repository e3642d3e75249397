// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ctrl-C and kill, on a process of its own. */
class SignalTest {
    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    @Timeout(60)
    void shouldLeaveTheSourceRunningWhenASignalComes(String signal, int exit) throws Exception {
        // A job in the background ignores SIGINT, and so would the command if the build were one.
        List<String> command = new ArrayList<>(List.of("env", "--default-signal=" + signal));
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "migrate",
                "emulated:size=64MiB",
                "--max-bandwidth",
                "2MiB/s"));
        Process process = new ProcessBuilder(command).start();
        try (BufferedReader err = process.errorReader()) {
            String line = err.readLine();
            while (line != null && !line.startsWith("pre-copy")) {
                line = err.readLine();
            }
            assertThat(new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                            .start()
                            .waitFor())
                    .isZero();
            List<String> rest = err.lines().toList();

            assertThat(process.waitFor(20, TimeUnit.SECONDS))
                    .as("ends by itself")
                    .isTrue();
            assertThat(process.exitValue()).isEqualTo(exit);
            assertThat(rest).contains("cancelling ...", "error: the migration was cancelled");
            assertThat(rest).anyMatch(text -> text.contains("the source device is in state RUNNING"));
        } finally {
            process.destroyForcibly();
        }
    }
}
