// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.NativeAccessException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Whether standard error is a terminal, and how wide. */
@FunctionalInterface
interface Terminal {
    /** No terminal: a pipe or a file. */
    Terminal NONE = () -> 0;

    /** How wide the terminal is now, in columns; 0 where there is none. */
    int columns();

    /** Looks at this process's standard error. */
    static Terminal ofStandardError() {
        return "dumb".equals(System.getenv("TERM")) ? NONE : Window::columns;
    }

    /** Asks the kernel for the size of a terminal's window. */
    final class Window {
        private static final int STDERR = 2;
        private static final long TIOCGWINSZ = 0x5413;

        /** {@code struct winsize}: four unsigned shorts, rows first. */
        private static final long WINSIZE_BYTES = 8;

        private static final long COLUMNS_OFFSET = 2;

        /** What a terminal has that does not know its own size. */
        private static final int USUAL_COLUMNS = 80;

        private Window() {}

        static int columns() {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment size = arena.allocate(WINSIZE_BYTES, Long.BYTES);
                if (LibC.system().ioctl(STDERR, TIOCGWINSZ, size) < 0) {
                    return 0;
                }
                int columns = Short.toUnsignedInt(size.get(ValueLayout.JAVA_SHORT, COLUMNS_OFFSET));
                return columns == 0 ? USUAL_COLUMNS : columns;
            } catch (NativeAccessException e) {
                // Whatever needs native calls next says what is wrong.
                return 0;
            }
        }
    }
}
