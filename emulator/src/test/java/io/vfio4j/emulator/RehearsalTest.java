// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RehearsalTest {
    @Test
    void shouldLeaveNeitherFdsNorThreadsBehind() throws IOException {
        Rehearsal.run();
        long before = fds();

        Rehearsal.run();

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
