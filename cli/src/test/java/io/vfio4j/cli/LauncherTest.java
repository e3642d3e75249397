// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher of a checkout. It builds the checkout, so it is left out of Maven's own run; {@code ./test} runs it
 * after that.
 */
@Tag("launcher")
class LauncherTest {
    @TempDir
    private Path folder;

    @Test
    void shouldRunFromAnyFolderWhenCalledThroughALink() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("migrator"), launcher());
        Run run = run(Map.of(), link.toString(), "save", "emulated:size=1MiB", "file:state");

        assertThat(run.exit).as(run.output).isZero();
        assertThat(folder.resolve("state")).isNotEmptyFile();
    }

    @Test
    void shouldNameTheJdkToInstallWhenThereIsNone() throws Exception {
        Path tools = Files.createDirectory(folder.resolve("tools"));
        for (String tool : new String[] {"bash", "dirname", "readlink", "env"}) {
            Files.createSymbolicLink(tools.resolve(tool), Path.of("/usr/bin", tool));
        }
        Run run = run(
                Map.of("PATH", tools.toString(), "JAVA_HOME", "", "VFIO4J_JDKS", folder.toString()),
                launcher().toString(),
                "--version");

        assertThat(run.exit).isEqualTo(ExitCode.CANNOT_RUN.code());
        assertThat(run.output).startsWith("error: no JDK 22 or newer found").contains("25 is recommended");
    }

    private static Path launcher() {
        return Path.of("").toAbsolutePath().resolveSibling("vfio4j");
    }

    private Run run(Map<String, String> environment, String... command) throws Exception {
        Path output = folder.resolve("output");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
        return new Run(process.exitValue(), Files.readString(output));
    }

    private record Run(int exit, String output) {}
}
