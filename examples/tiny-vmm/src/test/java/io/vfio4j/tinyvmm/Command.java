// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A {@code tiny-vmm} on a thread of this process, on a KVM that is none. */
final class Command {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final TinyVmm tinyVmm;
    private final CompletableFuture<Integer> code;

    private Command(String... words) {
        PrintStream print = new PrintStream(out, true, StandardCharsets.UTF_8);
        tinyVmm = new TinyVmm(new FakeKvm(), print, print);
        code = new CompletableFuture<>();
        Thread.ofPlatform().name("vfio4j-test-command").daemon().start(() -> code.complete(tinyVmm.execute(words)));
    }

    static Command start(String... words) {
        return new Command(words);
    }

    /** Waits for the end. Returns what was printed. */
    String expect(int expected) throws InterruptedException, ExecutionException, TimeoutException {
        assertThat(code.get(PATIENCE.toSeconds(), TimeUnit.SECONDS))
                .as(this::printed)
                .isEqualTo(expected);
        return printed();
    }

    /** Does what Ctrl-C does. */
    void interrupt() {
        tinyVmm.interrupt();
    }

    String printed() {
        return out.toString(StandardCharsets.UTF_8);
    }

    /** Waits for the line that says where it listens. */
    String awaitAddress() throws InterruptedException {
        Pattern line = Pattern.compile("listening on (\\S+)\\R");
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (System.nanoTime() < end && !code.isDone()) {
            Matcher listening = line.matcher(printed());
            if (listening.find()) {
                return listening.group(1);
            }
            Thread.sleep(5);
        }
        throw new AssertionError("it does not listen: " + printed());
    }
}
