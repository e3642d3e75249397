// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.migration.MigrationParameters;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

class UsageTest {
    /** Columns: the words; what the error names; what it says is allowed. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            migrate --frobnicate                              | --frobnicate      | Unknown option
            frobnicate                                        | frobnicate        | devices, migrate, send
            send                                              | DEVICE            | Missing required
            send emulated                                     | PEER              | Missing required
            migrate emulated emulated emulated                | 3 devices         | a destination after each source
            migrate emulated:size=1XB                         | 1XB               | size
            migrate emulated:size=5000                        | size=5000B        | multiple of 4KiB
            migrate emulated:colour=red                       | colour            | keys are
            migrate emulated:dirty=100MiB                     | 100MiB            | 100MiB/s
            migrate vfio0                                     | vfio0             | emulated:size=SIZE
            migrate 0000:3b:00.1                              | DESTINATION       | a second device
            migrate --over carrier-pigeon                     | --over            | tcp, unix
            migrate --downtime-limit 300                      | --downtime-limit  | such as 300ms
            migrate --downtime-limit 0s                       | --downtime-limit  | more than 0
            migrate --downtime-limit 25h                      | --downtime-limit  | at most 24h
            migrate --peer-timeout soon                       | --peer-timeout    | such as 300ms
            migrate --max-time -1s                            | --max-time        | such as 300ms
            migrate --max-rounds many                         | --max-rounds      | 0 for no limit
            migrate --max-rounds -3                           | --max-rounds      | 0 for no limit
            migrate --max-bandwidth 1GiB                      | --max-bandwidth   | 1GiB/s
            migrate --on-no-convergence cry                   | --on-no-convergence | switch-over, give-up
            migrate --overlap sometimes                       | --overlap         | auto, on, off
            migrate --progress loud                           | --progress        | auto, plain, none
            migrate --chunk-size 1000                         | --chunk-size      | multiple of 4KiB
            migrate --chunk-size 128MiB                       | --chunk-size      | 64MiB
            migrate --chunk-size big                          | --chunk-size      | 64KiB
            migrate --memory 1MiB                             | --memory          | 2 to 2048 times
            migrate --memory 3GiB                             | --memory          | 2 to 2048 times
            receive emulated tcp:127.0.0.1:0 --memory 1000    | --memory          | 32KiB
            receive emulated tcp:127.0.0.1:0 --accept-timeout x | --accept-timeout | such as 300ms
            receive emulated tcp:127.0.0.1:0 --downtime-limit 1s | --downtime-limit | Unknown option
            send emulated tcp:host                            | tcp:host          | tcp:HOST:PORT
            send emulated tcp:host:70000                      | tcp:host:70000    | tcp:HOST:PORT
            send emulated tcp:host:0                          | tcp:host:0        | listens
            send emulated unix:there --zero-copy              | --zero-copy       | tcp:HOST:PORT
            send emulated udp:host:1                          | udp:host:1        | unix:PATH
            send emulated unix:                               | unix:             | unix:PATH
            send emulated file:there                          | file:there        | save and load
            save emulated there                               | there             | file:PATH
            save emulated file:                               | file:             | file:PATH
            load emulated tcp:127.0.0.1:1                     | tcp:127.0.0.1:1   | send and receive
            bench vfio0                                       | vfio0             | emulated:size=SIZE
            bench emulated emulated                           | emulated          | Too many arguments
            bench --runs 0                                    | --runs            | from 1 to 1000
            bench --runs 1001                                 | --runs            | from 1 to 1000
            bench --runs -1                                   | --runs            | from 1 to 1000
            bench --runs some                                 | --runs            | from 1 to 1000
            bench --chunk-sizes 1000                          | --chunk-sizes     | multiple of 4KiB
            bench --chunk-sizes 0                             | --chunk-sizes     | multiple of 4KiB
            bench --chunk-sizes 64KiB,128MiB                  | --chunk-sizes     | 64MiB
            bench --chunk-sizes 64KiB,big                     | --chunk-sizes     | 64KiB
            bench --downtime-limit 0s                         | --downtime-limit  | more than 0
            bench --max-time never                            | --max-time        | such as 300ms
            bench --max-downtime 10                           | --max-downtime    | such as 300ms
            bench --min-throughput 1GiB                       | --min-throughput  | 1GiB/s
            bench --peer nobody                               | --peer            | emulated:size=SIZE
            bench --peer tcp:127.0.0.1:1                      | --peer            | emulated:size=SIZE
            bench 0000:3b:00.1 --peer 0000:3b:00.1            | --peer            | another device
            bench emulated:size=1MiB --peer emulated:size=2MiB | --peer           | same type
            """)
    void shouldNameWordAndWhatIsAllowedWhenAWordIsWrong(String words, String named, String allowed) {
        CliRun run = CliRun.of(words.split(" ")).failsWith(ExitCode.USAGE);

        assertThat(run.err().lines().findFirst().orElseThrow()).contains(named).contains(allowed);
        assertThat(run.err()).contains("--help");
        assertThat(run.out()).isEmpty();
    }

    @Test
    void shouldFailWhenThereIsNoCommand() {
        CliRun run = CliRun.of().failsWith(ExitCode.USAGE);

        assertThat(run.err()).contains("Missing command");
    }

    @Test
    void shouldListEveryExitCodeWhenAskedForHelp() {
        CliRun run = CliRun.of("--help").succeeds();

        for (ExitCode exit : ExitCode.values()) {
            assertThat(run.out()).contains(String.format("%3d  %s", exit.code(), exit.meaning()));
        }
        assertThat(run.out()).contains("devices", "migrate", "send", "receive", "save", "load", "bench", "help");
    }

    @ParameterizedTest
    @ValueSource(strings = {"devices", "migrate", "send", "receive", "save", "load", "bench"})
    void shouldShowExamplesWhenACommandIsAskedForHelp(String command) {
        CliRun run = CliRun.of(command, "--help").succeeds();

        assertThat(run.out()).contains("Usage: vfio4j " + command, "Examples:", "  vfio4j " + command, "--json");
        assertThat(run.out().lines().map(String::length)).allMatch(width -> width <= 100);
        assertThat(CliRun.of("help", command).succeeds().out()).isEqualTo(run.out());
    }

    @Test
    void shouldTellVersionOfStreamWhenAskedForVersion() {
        assertThat(CliRun.of("--version").succeeds().out())
                .matches("vfio4j [0-9][^ ]* \\(stream format 3, Java .*\\)\\R");
    }

    @Test
    void shouldUseTheLimitsOfCoreWhenNothingElseIsSaid() {
        Defaults sending = new Defaults();
        new CommandLine(sending).parseArgs();

        MigrationParameters.Builder builder = sending.common.fill(MigrationParameters.builder());
        assertThat(sending.outgoing.fill(builder, sending.common.memoryFor(1)).build())
                .isEqualTo(MigrationParameters.DEFAULT);
        assertThat(OutgoingOptions.fillReceiving(builder, sending.common.memoryFor(1))
                        .build())
                .isEqualTo(MigrationParameters.DEFAULT);
    }

    @Command
    private static final class Defaults {
        @Mixin
        private final OutgoingOptions outgoing = new OutgoingOptions();

        @Mixin
        private final CommonOptions common = new CommonOptions();
    }
}
