// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.transport.TransportAddress;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
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

    @Test
    void shouldUseTheSocketsThatItInherits() throws Exception {
        DeviceName like = DeviceName.parse("emulated:size=4MiB");
        try (ServerSocketChannel server = ServerSocketChannel.open();
                Devices devices = Devices.system();
                DeviceSet destination = DeviceSet.open(devices, List.of(like))) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            String peer = "/dev/tcp/127.0.0.1/" + server.socket().getLocalPort();
            CompletableFuture<Run> sending = CompletableFuture.supplyAsync(() -> {
                try {
                    return run(
                            Map.of(),
                            "bash",
                            "-c",
                            "exec 7<>" + peer + " 8<>" + peer + "; exec " + launcher() + " send " + like + " fd:7,8");
                } catch (Exception e) {
                    throw new CompletionException(e);
                }
            });
            server.socket().setSoTimeout(60_000);
            try (SocketChannel control = server.socket().accept().getChannel();
                    SocketChannel data = server.socket().accept().getChannel()) {
                new IncomingMigration(
                                devices.libc(),
                                destination.handlers(),
                                VirtualMachine.NONE,
                                MigrationParameters.DEFAULT,
                                MigrationListener.NONE)
                        .run(new TransportAddress.Channels(List.of(control, data)));
            }
            Run run = sending.get();

            assertThat(run.exit).as(run.output).isZero();
            assertThat(run.output).contains("digest       " + destination.get(0).digest());
        }
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
