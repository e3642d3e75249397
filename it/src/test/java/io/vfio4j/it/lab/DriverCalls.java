// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/** Looks for threads of migrations in this JVM that a driver keeps in a call. */
final class DriverCalls {
    private static final Path TASKS = Path.of("/proc/self/task");
    private static final String PREFIX = "vfio4j-";
    private static final long WAIT_NANOS = Duration.ofSeconds(60).toNanos();
    private static final long LOOK_MILLIS = 10;

    private DriverCalls() {}

    /** Makes a thread that waits until a driver keeps one, then does something and ends. */
    static Thread whenOneBlocks(Runnable action) {
        return Thread.ofPlatform().name("test-canceller").unstarted(() -> {
            await("a driver keeps a thread", DriverCalls::oneBlocks);
            action.run();
        });
    }

    /** Waits until a thread of a migration has ended that was left in a call. */
    static void awaitEndOf(String name) {
        await(
                "the end of " + name,
                () -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().equals(PREFIX + name)));
    }

    private static void await(String what, BooleanSupplier condition) {
        long begin = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - begin > WAIT_NANOS) {
                throw new AssertionError("waited in vain for " + what);
            }
            try {
                Thread.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static boolean oneBlocks() {
        try (Stream<Path> tasks = Files.list(TASKS)) {
            return tasks.anyMatch(DriverCalls::blocks);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Such as {@code 87 (vfio4j-..evice1) D 1 …}: a sleep that no signal ends is a driver's. */
    private static boolean blocks(Path task) {
        try {
            String stat = Files.readString(task.resolve("stat"));
            return stat.contains("(" + PREFIX) && stat.contains(") D ");
        } catch (IOException e) {
            // It has ended since it was listed.
            return false;
        }
    }
}
