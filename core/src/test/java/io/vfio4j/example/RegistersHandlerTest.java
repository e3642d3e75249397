// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.example;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.migration.TwoSides;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(LeakCheck.class)
class RegistersHandlerTest {
    private static final int COUNT = 100_000;

    @TempDir
    private Path folder;

    @Test
    void shouldMoveTheRegistersOfTwoDevices() throws Exception {
        Seed seed = new Seed();
        Random random = seed.random();
        RegistersHandler timer = new RegistersHandler("timer", COUNT);
        RegistersHandler uart = new RegistersHandler("uart", 1);
        for (int i = 0; i < COUNT; i++) {
            timer.write(i, random.nextLong());
        }
        uart.write(0, random.nextLong());
        RegistersHandler timerThere = new RegistersHandler("timer", COUNT);
        RegistersHandler uartThere = new RegistersHandler("uart", 1);

        TwoSides.migrate(List.of(timer, uart), List.of(uartThere, timerThere), folder);

        assertThat(timerThere.values()).as(seed.toString()).isEqualTo(timer.values());
        assertThat(uartThere.values()).as(seed.toString()).isEqualTo(uart.values());
    }

    @Test
    void shouldRefuseAnotherNumberOfRegisters() {
        assertThatThrownBy(() -> TwoSides.migrate(
                        List.of(new RegistersHandler("timer", 2)), List.of(new RegistersHandler("timer", 3)), folder))
                .rootCause()
                .hasMessageEndingWith("timer: the source has 2 registers, this side 3");
    }
}
