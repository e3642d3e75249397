// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** The check that the other tests rely on finds what it has to find. */
class GuestProgramTest {
    private static final int PAGE = GuestProgram.PAGE;
    private static final int PAGES = 8;
    private static final long FIRST = GuestProgram.FIRST_COUNTER;

    private final MemorySegment memory = Arena.ofAuto().allocate((long) PAGES * PAGE, PAGE);

    /** Memory as it is after some passes and, of the next one, all that is before a page. */
    private void count(int passes, long position) {
        GuestProgram.load(memory);
        for (long page = FIRST; page < memory.byteSize(); page += PAGE) {
            memory.set(JAVA_INT, page, page < position ? passes + 1 : passes);
        }
    }

    @Test
    void shouldAcceptWhatAGuestLeavesBehindAtAnyInstruction() throws IOException {
        count(0, FIRST);
        GuestProgram.check(memory, 0, FIRST);
        count(5, FIRST + 3 * PAGE);
        GuestProgram.check(memory, 5, FIRST + 3 * PAGE);
        // The page was added to, and the position is not yet the next one's.
        GuestProgram.check(memory, 5, FIRST + 2 * PAGE);
        count(5, PAGES * PAGE);
        GuestProgram.check(memory, 5, PAGES * PAGE);
        // The byte of the pass has been written.
        GuestProgram.check(memory, 6, PAGES * PAGE);
    }

    @Test
    void shouldFindACountThatWasLostOrRepeated() {
        count(5, FIRST + 3 * PAGE);
        memory.set(JAVA_INT, FIRST + PAGE, 5);
        assertWrong(5, FIRST + 3 * PAGE, "it was not added to in this pass");
        count(5, FIRST + 3 * PAGE);
        memory.set(JAVA_INT, FIRST + 4 * PAGE, 6);
        assertWrong(5, FIRST + 3 * PAGE, "it was added to in this pass before its turn");
        count(5, FIRST + 3 * PAGE);
        memory.set(JAVA_INT, FIRST + 4 * PAGE, 4);
        assertWrong(5, FIRST + 3 * PAGE, "its counter is 4 after 5 bytes");
        count(5, FIRST);
        assertWrong(7, FIRST, "its counter is 5 after 7 bytes");
        count(5, FIRST + 3 * PAGE);
        assertWrong(5, FIRST + 4 * PAGE, "it was not added to in this pass");
    }

    @Test
    void shouldFindAPageThatIsNotThePage() {
        count(5, FIRST);
        MemorySegment.copy(memory, FIRST, memory, FIRST + PAGE, PAGE);
        assertWrong(5, FIRST, "it is another page");
        count(5, FIRST);
        memory.set(JAVA_BYTE, FIRST + PAGE + 100, (byte) 1);
        assertWrong(5, FIRST, "it is another page");
        count(5, FIRST);
        memory.set(JAVA_LONG, FIRST + 2 * PAGE - Long.BYTES, 0);
        assertWrong(5, FIRST, "it is another page");
    }

    private void assertWrong(long passes, long position, String message) {
        assertThatThrownBy(() -> GuestProgram.check(memory, passes, position))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the guest's memory is wrong at 0x")
                .hasMessageContaining(message);
    }
}
