// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/** Three devices, one of which has more state than a piece can hold. */
class SmallStateContractTest extends HandlerContract {
    private static final int LARGE = 100_000;

    /** A device that is all memory. */
    private static final class Device implements SmallState {
        private final String name;
        private final int version;
        private byte[] memory;

        Device(String name, int version, int bytes) {
            this.name = name;
            this.version = version;
            this.memory = new byte[bytes];
        }

        synchronized void change(Random random) {
            memory[random.nextInt(memory.length)] = (byte) random.nextInt();
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public int version() {
            return version;
        }

        @Override
        public int maxBytes() {
            return memory.length + FieldWriter.FIELD_BYTES;
        }

        @Override
        public synchronized void save(FieldWriter out) throws IOException {
            out.required(1, memory);
        }

        @Override
        public Loaded load(FieldReader in) throws IOException {
            byte[] loaded = in.bytes(1);
            return () -> memory = loaded;
        }
    }

    private static final class Machine implements MachinePart {
        private final List<Device> devices;
        private final SmallStateHandler handler;

        Machine(Device... devices) {
            this.devices = List.of(devices);
            this.handler = new SmallStateHandler("small", this.devices);
        }

        @Override
        public StateHandler handler() {
            return handler;
        }

        @Override
        public void change(Random random) {
            devices.get(random.nextInt(devices.size())).change(random);
        }

        @Override
        public Object contents() {
            List<String> contents = new ArrayList<>();
            devices.forEach(device -> contents.add(device.name + " " + Arrays.hashCode(device.memory)));
            contents.sort(null);
            return contents;
        }

        @Override
        public void close() {}
    }

    private static Device device(String name, int bytes) {
        return new Device(name, 1, bytes);
    }

    @Override
    protected MachinePart filled(Random random) {
        Machine machine = new Machine(device("vcpu0", 700), device("clock", 8), device("lapic", LARGE));
        machine.devices.forEach(device -> random.nextBytes(device.memory));
        return machine;
    }

    @Override
    protected MachinePart empty() {
        return new Machine(device("clock", 8), device("lapic", LARGE), device("vcpu0", 700));
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of(
                "lapic is missing here",
                () -> new Machine(device("clock", 8), device("vcpu0", 700)),
                "uart is missing at the source",
                () -> new Machine(device("clock", 8), device("lapic", LARGE), device("vcpu0", 700), device("uart", 8)),
                "clock has version 1 at the source, and version 2 is read here",
                () -> new Machine(new Device("clock", 2, 8), device("lapic", LARGE), device("vcpu0", 700)));
    }
}
