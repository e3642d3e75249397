// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.testing.LeakCheck;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The command with a KVM that is none: everything of it but the processor. */
@ExtendWith(LeakCheck.class)
class TinyVmmTest {
    private static final String SMALL = "--memory=4MiB";

    @TempDir
    Path folder = Path.of("");

    private String log(String name) {
        return "--uart-log=" + folder.resolve(name);
    }

    /**
     * What was written to a UART, which must be one byte for each pass from a first one on. Returns the pass after it.
     */
    private long requirePasses(String name, long first) throws Exception {
        byte[] bytes = Files.readAllBytes(folder.resolve(name));
        for (int i = 0; i < bytes.length; i++) {
            assertThat(bytes[i]).as("byte %s of %s", i, name).isEqualTo((byte) (first + i));
        }
        return first + bytes.length;
    }

    @Test
    void shouldRunAGuestUntilAPass() throws Exception {
        String printed =
                Command.start("run", SMALL, "--until-pass=300", log("uart")).expect(0);
        long after = requirePasses("uart", 1);
        assertThat(after).isGreaterThan(300);
        assertThat(printed).contains("stopped: " + (after - 1) + " passes, every counter is as it has to be");
    }

    @Test
    void shouldLoseAndRepeatNoPassAcrossAMigration() throws Exception {
        Command destination = Command.start("incoming", "tcp:127.0.0.1:0", SMALL, "--until-pass=1000000", log("there"));
        String printed = Command.start(
                        "migrate-to", destination.awaitAddress(), SMALL, log("here"), "--downtime-limit-ms=10000")
                .expect(0);
        assertThat(printed).contains("migrated: ").contains("every counter is as it has to be");
        long moved = requirePasses("here", 1);
        assertThat(printed).contains("stopped: " + (moved - 1) + " passes");

        destination.interrupt();
        assertThat(destination.expect(130)).contains("every counter is as it has to be");
        assertThat(requirePasses("there", moved)).isGreaterThan(moved);
    }

    @Test
    void shouldRunOnAtTheSourceWhenTheDestinationHasLessMemory() throws Exception {
        Command destination = Command.start("incoming", "tcp:127.0.0.1:0", "--memory=2MiB");
        String printed = Command.start(
                        "migrate-to",
                        destination.awaitAddress(),
                        SMALL,
                        log("here"),
                        "--after-pass=5",
                        "--until-pass=5000")
                .expect(6);
        assertThat(printed)
                .contains("the guest runs on here: ")
                .contains("4 MiB")
                .contains("every counter is as it has to be");
        assertThat(requirePasses("here", 1)).isGreaterThan(5000);
        destination.expect(6);
    }

    @Test
    void shouldRunOnAtTheSourceWhenThereIsNoDestination() throws Exception {
        String printed = Command.start("migrate-to", "tcp:127.0.0.1:1", SMALL, "--until-pass=100")
                .expect(4);
        assertThat(printed).contains("every counter is as it has to be").contains("error: ");
    }

    @Test
    void shouldRunOnAtFullSpeedWhenPreCopyDoesNotConverge() throws Exception {
        Command destination = Command.start("incoming", "tcp:127.0.0.1:0", SMALL);
        String printed = Command.start(
                        "migrate-to",
                        destination.awaitAddress(),
                        SMALL,
                        log("here"),
                        "--until-pass=500",
                        "--max-bandwidth=8MiB/s",
                        "--downtime-limit-ms=1",
                        "--max-rounds=1",
                        "--on-no-convergence=give_up")
                .expect(9);
        assertThat(printed).contains("the guest runs on here").contains("every counter is as it has to be");
        assertThat(requirePasses("here", 1)).isGreaterThan(500);
        destination.expect(8);
    }

    @Test
    void shouldRefuseWrongWordsInOneLine() throws Exception {
        assertThat(Command.start("bogus").expect(2)).startsWith("error: ").hasLineCount(1);
        assertThat(Command.start("run", "--memory=5GiB").expect(2))
                .isEqualToNormalizingNewlines("error: --memory is 1MiB to 3GiB, in whole MiB, not 5GiB\n");
        assertThat(Command.start("run", "--tracker=none").expect(2)).startsWith("error: ");
        assertThat(Command.start("migrate-to", "tcp:127.0.0.1:1", SMALL, "--max-bandwidth=3")
                        .expect(2))
                .contains("\"3\" is not ");
    }

    @Test
    void shouldSayWhatAHostLacks() throws Exception {
        assertThat(Command.start("run", SMALL, "--device=/dev/vfio/devices/vfio99999")
                        .expect(3))
                .contains("vfio99999");
        assertThat(Command.start("run", SMALL, "--tracker=ring").expect(3)).contains("ring");
    }
}
