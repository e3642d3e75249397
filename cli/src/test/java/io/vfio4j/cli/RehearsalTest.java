// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.emulator.Rehearsal;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class RehearsalTest {
    @Test
    void shouldLeaveNeitherFdsNorThreadsBehind() throws IOException {
        Leftovers.assertNoneOf(Rehearsal::run);
    }
}
