// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What something leaves behind in this process that is to leave nothing. */
final class Leftovers {
    private Leftovers() {}

    /**
     * Fails where something leaves an fd or a thread of vfio4j behind at its second run; at its first the JVM opens
     * some of its own.
     *
     * @param run what is run
     * @throws IOException when the fds cannot be counted
     */
    static void assertNoneOf(Runnable run) throws IOException {
        run.run();
        long before = fds();

        run.run();

        assertThat(fds()).isEqualTo(before);
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .noneMatch(name -> name.startsWith("vfio4j-"));
    }

    private static long fds() throws IOException {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
            return fds.count();
        }
    }
}
