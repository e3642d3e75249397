// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.example;

import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

class RegistersContractTest extends HandlerContract {
    private static final int COUNT = 5000;

    private record Device(RegistersHandler registers) implements MachinePart {
        Device(int count) {
            this(new RegistersHandler("timer", count));
        }

        @Override
        public StateHandler handler() {
            return registers;
        }

        @Override
        public void change(Random random) {
            registers.write(random.nextInt(COUNT), random.nextLong());
        }

        @Override
        public Object contents() {
            return Arrays.hashCode(registers.values());
        }

        @Override
        public void close() {}
    }

    @Override
    protected MachinePart filled(Random random) {
        Device device = new Device(COUNT);
        for (int i = 0; i < COUNT; i++) {
            device.registers.write(i, random.nextLong());
        }
        return device;
    }

    @Override
    protected MachinePart empty() {
        return new Device(COUNT);
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of("the source has 5000 registers, this side 4999", () -> new Device(COUNT - 1));
    }
}
