// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The command {@code vfio4j}, as its jar, or another program that uses the library, in a process of its own. Closing it
 * ends the process.
 *
 * <p>Not by way of the script of that name, which would build what is not built.
 */
final class Vfio4j implements AutoCloseable {
    private static final long WAIT_SECONDS = 240;
    private static final String LISTENING = "listening on ";

    private final String commandLine;
    private final Process process;
    private final Queue<String> out = new ConcurrentLinkedQueue<>();
    private final Queue<String> err = new ConcurrentLinkedQueue<>();
    private final CompletableFuture<String> address = new CompletableFuture<>();
    private final Thread outReader;
    private final Thread errReader;

    private Vfio4j(String name, List<String> program, List<String> arguments) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-Xint"));
        words.addAll(program);
        words.addAll(arguments);
        this.commandLine = name + " " + String.join(" ", arguments);
        this.process = new ProcessBuilder(words).start();
        this.outReader = reader(
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)), out);
        this.errReader = reader(
                new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8)), err);
    }

    /** Starts the command with these words. */
    static Vfio4j start(String... arguments) throws IOException {
        Path root = Path.of(System.getProperty("vfio4j.root", ""));
        Path target = root.resolve("cli").resolve("target");
        return new Vfio4j(
                "vfio4j",
                List.of(
                        "--enable-native-access=io.vfio4j.ffm",
                        "-p",
                        jar(target) + File.pathSeparator + target.resolve("lib"),
                        "-m",
                        "io.vfio4j.cli/io.vfio4j.cli.Main"),
                List.of(arguments));
    }

    /** Starts a program of the tests with these words. */
    static Vfio4j start(Class<?> program, String... arguments) throws IOException {
        return new Vfio4j(
                program.getSimpleName(),
                List.of(
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        program.getName()),
                List.of(arguments));
    }

    private static Path jar(Path target) throws IOException {
        try (Stream<Path> files = Files.list(target)) {
            return files.filter(file -> file.getFileName().toString().matches("cli-[0-9].*\\.jar"))
                    .findFirst()
                    .orElseThrow(() -> new IOException("the command is not built: no jar in " + target));
        }
    }

    private Thread reader(BufferedReader from, Queue<String> to) {
        return Thread.ofPlatform().name("vfio4j-test-reader").daemon().start(() -> {
            try (from) {
                for (String line = from.readLine(); line != null; line = from.readLine()) {
                    to.add(line);
                    if (line.startsWith(LISTENING)) {
                        address.complete(line.substring(LISTENING.length()));
                    }
                }
                address.completeExceptionally(new IOException("it has ended"));
            } catch (IOException e) {
                address.completeExceptionally(e);
            }
        });
    }

    /** Waits until it listens, and returns where. */
    String awaitListening() throws InterruptedException {
        try {
            return address.get(WAIT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException | ExecutionException e) {
            throw new AssertionError(commandLine + " does not listen (" + e.getMessage() + ")\n" + err(), e);
        }
    }

    /** Waits until it has ended, and returns its exit code. */
    int awaitExit() throws InterruptedException {
        if (!process.waitFor(WAIT_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError(commandLine + " does not end\n" + err());
        }
        outReader.join(TimeUnit.SECONDS.toMillis(WAIT_SECONDS));
        errReader.join(TimeUnit.SECONDS.toMillis(WAIT_SECONDS));
        return process.exitValue();
    }

    /** Waits until it has ended well, and returns the object that it printed. */
    Report awaitReport() throws InterruptedException {
        int code = awaitExit();
        if (code != 0) {
            throw new AssertionError(commandLine + " ended with " + code + "\n" + out() + "\n" + err());
        }
        return new Report(out());
    }

    /** What it has printed on standard output. */
    String out() {
        return String.join("\n", out);
    }

    /** What it has printed on standard error. */
    String err() {
        return String.join("\n", err);
    }

    @Override
    public void close() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor(WAIT_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public String toString() {
        return commandLine;
    }

    /** The JSON object that a command prints. No name in it comes twice, so that none of its objects needs a path. */
    record Report(String json) {
        /** The number of this name. */
        long number(String name) {
            return Long.parseLong(group(name, "(-?[0-9]+)"));
        }

        /** The text of this name. */
        String text(String name) {
            return group(name, "\"([^\"]*)\"");
        }

        /** The numbers in the object of this name. */
        List<Long> numbers(String name) {
            Matcher values = Pattern.compile(":(-?[0-9]+)").matcher(group(name, "\\{([^}]*)\\}"));
            return values.results().map(value -> Long.valueOf(value.group(1))).toList();
        }

        private String group(String name, String value) {
            Matcher matcher = Pattern.compile('"' + name + "\":" + value).matcher(json);
            if (!matcher.find()) {
                throw new AssertionError("no " + name + " in " + json);
            }
            return matcher.group(1);
        }
    }
}
