// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Tests of migrations within this JVM: the devices are taken away after each, and nothing else may be left. */
@ExtendWith(LeakCheck.class)
abstract class BetweenTwoSides {
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @TempDir
    private Path folder = Path.of("");

    @AfterEach
    void takeAway() throws Exception {
        for (AutoCloseable each : opened) {
            each.close();
        }
    }

    /** Has something closed after the test, what was opened last first. */
    final <T extends AutoCloseable> T opened(T something) {
        opened.push(something);
        return something;
    }

    /** Makes devices of 4 MiB at both sides, one of each type. */
    final Sides sides(String... types) throws IOException {
        return opened(new Sides(folder, Sides.SIZE, types));
    }

    /** Makes a device at each side, of which the source's is of another size. */
    final Sides unlikeSides(String type, long sourceSize) throws IOException {
        return opened(new Sides(folder, sourceSize, type));
    }
}
