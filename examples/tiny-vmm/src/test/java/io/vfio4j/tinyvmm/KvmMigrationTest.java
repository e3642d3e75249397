// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.kvm.KvmFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A real guest between two processes: 64 MiB that it counts in all the time. Needs {@code /dev/kvm}. */
@Tag("kvm")
class KvmMigrationTest {
    /** An emulated processor is slow, and so is the JVM on it. */
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    @TempDir
    Path folder = Path.of("");

    private final List<Process> started = new ArrayList<>();

    @BeforeEach
    void requireKvm() {
        LibC libc = LibC.system();
        int fd = libc.open(KvmFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC);
        assumeTrue(fd >= 0, () -> KvmFd.PATH + " is missing: " + Errno.describe(fd));
        libc.close(fd);
    }

    @AfterEach
    void killAll() {
        started.forEach(Process::destroyForcibly);
    }

    /** A {@code tiny-vmm} of its own process; what it prints and what its guest writes go to files. */
    private Process start(String name, String... words) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home", ""), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx128m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path", "")),
                TinyVmm.class.getName()));
        command.addAll(List.of(words));
        command.add("--uart-log=" + folder.resolve(name + ".uart"));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(name + ".out").toFile())
                .start();
        started.add(process);
        return process;
    }

    private String printed(String name) throws IOException {
        return Files.readString(folder.resolve(name + ".out"));
    }

    private String await(Process process, String name, String line) throws Exception {
        Pattern pattern = Pattern.compile(line);
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (System.nanoTime() < end && process.isAlive()) {
            Matcher matcher = pattern.matcher(printed(name));
            if (matcher.find()) {
                return Objects.requireNonNull(matcher.group(1));
            }
            Thread.sleep(20);
        }
        throw new AssertionError(name + " does not say " + line + ": " + printed(name));
    }

    private String expect(Process process, String name, int code) throws Exception {
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS))
                .as("%s: %s", name, printed(name))
                .isTrue();
        assertThat(process.exitValue()).as("%s: %s", name, printed(name)).isEqualTo(code);
        return printed(name);
    }

    /** One byte for each pass from a first one on, none twice, none missing. Returns the pass after them. */
    private long requirePasses(String name, long first) throws IOException {
        byte[] bytes = Files.readAllBytes(folder.resolve(name + ".uart"));
        for (int i = 0; i < bytes.length; i++) {
            assertThat(bytes[i]).as("byte %s of %s", i, name).isEqualTo((byte) (first + i));
        }
        return first + bytes.length;
    }

    @ParameterizedTest
    @EnumSource(Machine.Tracker.class)
    void shouldLoseAndRepeatNoPassBetweenTwoProcesses(Machine.Tracker tracker) throws Exception {
        Process there = start("there", "incoming", "tcp:127.0.0.1:0", "--tracker=" + tracker);
        String address = await(there, "there", "listening on (\\S+)\\R");
        Process here = start("here", "migrate-to", address, "--tracker=" + tracker, "--downtime-limit-ms=3000");
        String printed = expect(here, "here", 0);
        System.out.println(tracker + ": " + printed);
        long moved = requirePasses("here", 1);
        assertThat(printed).contains("stopped: " + (moved - 1) + " passes, every counter is as it has to be");

        await(there, "there", "(arrived): .*\\R");
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (requirePasses("there", moved) < moved + 3 && System.nanoTime() < end) {
            Thread.sleep(20);
        }
        there.destroy();
        assertThat(expect(there, "there", 143)).contains("every counter is as it has to be");
        assertThat(requirePasses("there", moved)).isGreaterThanOrEqualTo(moved + 3);
    }

    @Test
    void shouldSlowTheGuestDownWhenItDirtiesFasterThanTheLink() throws Exception {
        Process there = start("there", "incoming", "tcp:127.0.0.1:0");
        String address = await(there, "there", "listening on (\\S+)\\R");
        Process here = start(
                "here", "migrate-to", address, "--max-bandwidth=24MiB/s", "--downtime-limit-ms=1500", "--max-rounds=1");
        String printed = expect(here, "here", 0);
        System.out.println("slowed down: " + printed);
        assertThat(printed).contains("the virtual CPUs are slowed down by 20 %").contains("migrated: ");
        long moved = requirePasses("here", 1);
        await(there, "there", "(arrived): .*\\R");
        there.destroy();
        assertThat(expect(there, "there", 143)).contains("every counter is as it has to be");
        requirePasses("there", moved);
    }

    @Test
    void shouldRunOnAtTheSourceWhenTheDestinationDies() throws Exception {
        Process there = start("there", "incoming", "tcp:127.0.0.1:0");
        String address = await(there, "there", "listening on (\\S+)\\R");
        Process here = start(
                "here", "migrate-to", address, "--max-bandwidth=4MiB/s", "--max-rounds=0", "--until-pass=100000000");
        await(here, "here", "(running)\\R");
        long begun = System.nanoTime() + PATIENCE.toNanos();
        while (requirePasses("here", 1) < 20 && System.nanoTime() < begun) {
            Thread.sleep(20);
        }
        there.destroyForcibly();
        await(here, "here", "(the guest runs on here): .*\\R");
        long passes = requirePasses("here", 1);
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (requirePasses("here", 1) < passes + 3 && System.nanoTime() < end) {
            Thread.sleep(20);
        }
        here.destroy();
        assertThat(expect(here, "here", 4)).contains("every counter is as it has to be");
    }
}
