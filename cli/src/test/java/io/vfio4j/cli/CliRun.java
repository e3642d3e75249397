// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.Reader;
import java.io.StringReader;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** One run of the command in this process: its exit code and all that it printed. */
final class CliRun {
    /** No run of a test lasts so long, unless it hangs: then this is what ends the wait. */
    private static final Duration HANG = Duration.ofSeconds(60);

    private static final Pattern LISTENING = Pattern.compile("(?m)^listening on (\\S+)$");

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Cancellation cancellation = new Cancellation();
    private final CompletableFuture<Integer> exit = new CompletableFuture<>();

    private CliRun() {}

    /** Runs to the end, on emulated devices. */
    static CliRun of(String... arguments) {
        CliRun run = start(arguments);
        run.exit();
        return run;
    }

    /** Runs to the end. */
    static CliRun of(Devices devices, String... arguments) {
        CliRun run = start(devices, arguments);
        run.exit();
        return run;
    }

    static CliRun start(String... arguments) {
        return start(null, arguments);
    }

    static CliRun start(@Nullable Devices devices, String... arguments) {
        return start(devices, new StringReader(""), arguments);
    }

    /** Starts a command that reads standard input. */
    static CliRun start(@Nullable Devices devices, Reader in, String... arguments) {
        CliRun run = new CliRun();
        // StringWriter is synchronized, so the test may look while the command writes.
        Console console = new Console(
                new BufferedReader(in), new PrintWriter(run.out, true), new PrintWriter(run.err, true), Terminal.NONE);
        Environment environment = new Environment(
                console, () -> devices == null ? Devices.system() : devices, run.cancellation, () -> {});
        Thread.ofPlatform().name("cli-under-test").daemon().start(() -> {
            try {
                int code = new Cli(environment).run(arguments);
                run.cancellation.ended(code);
                run.exit.complete(code);
            } catch (RuntimeException | Error e) {
                run.exit.completeExceptionally(e);
            }
        });
        return run;
    }

    int exit() {
        try {
            return exit.get(HANG.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("the command hangs; it has printed:\n" + out + err, e);
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    String out() {
        return out.toString();
    }

    String err() {
        return err.toString();
    }

    Map<String, Object> json() {
        return TestJson.object(out());
    }

    /** As the JVM's shutdown hook does it. */
    int cancel() {
        PrintWriter to = new PrintWriter(err, true);
        return cancellation.cancelAndWait(to);
    }

    /** Waits until standard error has a line that matches. */
    Matcher awaitErr(Pattern pattern) throws InterruptedException {
        long end = System.nanoTime() + HANG.toNanos();
        while (System.nanoTime() < end) {
            Matcher matcher = pattern.matcher(err());
            if (matcher.find()) {
                return matcher;
            }
            if (exit.isDone()) {
                break;
            }
            Thread.sleep(5);
        }
        throw new AssertionError("never printed: " + pattern + "; but:\n" + out() + err());
    }

    /** The address that a receiving command has printed. */
    String awaitListening() throws InterruptedException {
        return awaitErr(LISTENING).group(1);
    }

    /** Holds what every failing command has in common: the exit code, one error line, no stack trace. */
    CliRun failsWith(ExitCode expected) {
        assertThat(exit()).as("exit code; standard error:\n%s", err()).isEqualTo(expected.code());
        List<String> errors =
                err().lines().filter(line -> line.contains("error:")).toList();
        assertThat(errors).as("lines with 'error:'").hasSize(1);
        assertThat(errors.getFirst()).startsWith("error: ");
        assertThat(err() + out()).doesNotContain("\tat ", "at io.vfio4j", "Exception:", "null");
        return this;
    }

    CliRun leavesSourceRunning() {
        assertThat(err()).contains("the source device is in state RUNNING");
        return this;
    }

    CliRun succeeds() {
        assertThat(exit()).as("exit code; standard error:\n%s", err()).isZero();
        return this;
    }
}
