// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a migration asks of a machine, in the ways in which it does. */
@ExtendWith(LeakCheck.class)
class MachineTest {
    private static final long BYTES = 4 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String DEVICE = "emulated:size=64KiB";

    private static Machine machine(OutputStream line) throws IOException {
        Machine machine = new Machine(new FakeKvm(), BYTES, Machine.Tracker.LOG, DEVICE, line);
        machine.boot();
        return machine;
    }

    @Test
    void shouldBeWholeWheneverItIsStopped() throws Exception {
        try (Machine machine = machine(OutputStream.nullOutputStream())) {
            for (int i = 0; i < 200; i++) {
                machine.resume();
                machine.uart.await(i, PATIENCE);
                machine.stop();
                machine.check();
            }
            long passes = machine.uart.written();
            machine.stop();
            machine.check();
            assertThat(machine.uart.written()).isEqualTo(passes);
        }
    }

    @Test
    void shouldRunAndStopWhileItIsSlowedDown() throws Exception {
        try (Machine machine = machine(OutputStream.nullOutputStream())) {
            machine.resume();
            machine.throttle(20);
            machine.throttle(99);
            long passes = machine.uart.written();
            assertThat(machine.uart.await(passes + 10, PATIENCE)).isTrue();
            machine.stop();
            machine.check();
            machine.throttle(0);
            passes = machine.uart.written();
            assertThat(machine.uart.await(passes + 1, Duration.ofMillis(1)))
                    .as("to slow it down no longer is not to resume it")
                    .isFalse();
            machine.resume();
            assertThat(machine.uart.await(passes + 10, PATIENCE)).isTrue();
        }
    }

    @Test
    void shouldNotBeMovedWhenTheGuestHasFailed() throws Exception {
        IOException full = new IOException("the disk is full");
        OutputStream line = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw full;
            }
        };
        try (Machine machine = machine(line)) {
            machine.resume();
            long end = System.nanoTime() + PATIENCE.toNanos();
            while (System.nanoTime() < end) {
                try {
                    machine.requireGood();
                    Thread.sleep(1);
                } catch (IOException e) {
                    break;
                }
            }
            assertThatThrownBy(machine::prepare).hasMessage("the disk is full").hasRootCause(full);
            assertThatThrownBy(machine::stop).hasMessage("the disk is full");
            assertThatThrownBy(machine::resume).hasMessage("the disk is full");
        }
    }
}
