// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DeviceDmaTracker;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.UnionTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Listening;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * A machine of two test devices and memory, {@code -Dvfio4j.memory.mib} MiB of it or 64, that both devices write to by
 * DMA and this process writes to itself until it is stopped: all of it arrives.
 */
@Tag("lab")
@ExtendWith(LeakCheck.class)
class GuestMemoryDmaTest {
    private static final long SIZE = Long.getLong("vfio4j.memory.mib", 64) << 20;
    private static final long PAGE = GuestMemory.PAGE_BYTES;
    private static final long BASE = 1L << 32;
    private static final int DEVICES = 2;
    private static final long NONE = -1;

    /** So many that most of what is written is written to pages that have gone before. */
    private static final int LEAST_ROUNDS = 3;

    private static final long WAIT_SECONDS = 300;
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("mdev:vfio4j_testdev-full", "vfio4j_testdev");

    @TempDir
    private Path folder = Path.of("");

    private final Seed seed = new Seed();
    private final Arena arena = Arena.ofShared();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final ExecutorService destinationRuns = Executors.newSingleThreadExecutor();

    @AfterEach
    void takeAway() throws Exception {
        destinationRuns.close();
        for (AutoCloseable each : opened) {
            each.close();
        }
        arena.close();
    }

    /** What this process says that it has written to. */
    private static final class OwnTracker implements DirtyTracker {
        private final Set<Long> written = ConcurrentHashMap.newKeySet();

        void wrote(long page) {
            written.add(page);
        }

        @Override
        public Capability capability() {
            return new Capability("this process", Set.of(Capability.Writer.THIS_PROCESS), false, "nothing");
        }

        @Override
        public long start(List<AddressRange> ranges, long pageSizeHint) {
            written.clear();
            return pageSizeHint;
        }

        @Override
        public Collected collect(AddressRange range, DirtyBitmap into) {
            for (long page : List.copyOf(written)) {
                written.remove(page);
                into.mark(new AddressRange(BASE + page * PAGE, PAGE));
            }
            return Collected.REPORTED;
        }

        @Override
        public void stop() {}

        @Override
        public void close() {}
    }

    /** Memory, two devices that are mapped onto it, and their handlers. */
    private final class Machine {
        final MemorySegment memory =
                MappedMemory.map(LibC.system(), SIZE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        final List<DmaDevice> devices = new ArrayList<>();
        final List<StateHandler> handlers = new ArrayList<>();

        Machine() throws IOException {
            for (int i = 0; i < DEVICES; i++) {
                DmaDevice device = new DmaDevice("vfio4j_testdev-full", Way.CDEV);
                opened.push(device);
                DmaDevice.ioasMap(device.iommufd(), device.ioasId(), BASE, memory);
                devices.add(device);
                VfioDevice adopted = VfioDevice.adopt(LibC.system(), device.fd().fd(), "device" + i, IDENTITY);
                opened.push(adopted);
                handlers.add(new VfioDeviceHandler("device" + i, adopted));
            }
        }
    }

    /** Writes by DMA and by itself, until the virtual machine is stopped; then once more by DMA. */
    private static final class Guest implements VirtualMachine {
        private final Machine machine;
        private final OwnTracker own;
        private final Random random;
        private final List<Thread> writers = new ArrayList<>();
        private volatile boolean runs = true;

        Guest(Machine machine, OwnTracker own, Random random) {
            this.machine = machine;
            this.own = own;
            this.random = random;
        }

        void start() {
            for (DmaDevice device : machine.devices) {
                long first = random.nextLong();
                writers.add(new Thread(() -> writeByDma(device, new Random(first))));
            }
            long first = random.nextLong();
            writers.add(new Thread(() -> writeSelf(new Random(first))));
            writers.forEach(Thread::start);
        }

        private void writeByDma(DmaDevice device, Random by) {
            while (runs) {
                dma(device, by);
            }
        }

        private static void dma(DmaDevice device, Random by) {
            try {
                device.write(BASE + by.nextLong(SIZE - 3 * PAGE), 1 + by.nextInt((int) PAGE), 1 + by.nextInt(255));
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        private void writeSelf(Random by) {
            while (runs) {
                long page = by.nextLong(SIZE / PAGE);
                machine.memory.set(JAVA_LONG, page * PAGE + 8L * by.nextInt(512), by.nextLong());
                own.wrote(page);
                LockSupport.parkNanos(1_000);
            }
        }

        @Override
        public void stop() {
            runs = false;
            for (Thread writer : writers) {
                try {
                    writer.join();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            // The devices do not know of the virtual CPUs: they run until they are stopped themselves.
            machine.devices.forEach(device -> dma(device, random));
        }

        @Override
        public void resume() {}
    }

    @Test
    void shouldMoveMemoryThatDevicesAndTheProcessWriteTo() throws Exception {
        Machine source = new Machine();
        Machine destination = new Machine();
        Random random = seed.random();
        for (long page = 0; page < SIZE / PAGE; page++) {
            source.memory.set(JAVA_LONG, page * PAGE, random.nextLong());
        }
        OwnTracker own = new OwnTracker();
        List<DirtyTracker> trackers = new ArrayList<>(List.of(own));
        source.devices.forEach(device ->
                trackers.add(new DeviceDmaTracker(device.fd(), device.mdev().uuid())));
        UnionTracker tracker = new UnionTracker(trackers);
        opened.push(tracker);
        source.handlers.add(new GuestMemory(List.of(Region.of("ram", BASE, source.memory)), tracker).handler("ram"));
        destination.handlers.add(new GuestMemory(List.of(Region.of("ram", BASE, destination.memory))).handler("ram"));
        Guest guest = new Guest(source, own, random);
        guest.start();
        try {
            MigrationReport report = migrate(source, destination, guest);
            assertThat(report.rounds()).isGreaterThanOrEqualTo(LEAST_ROUNDS);
            System.out.printf(
                    "%d MiB and %d devices: %d rounds, downtime %d ms%n",
                    SIZE >> 20,
                    DEVICES,
                    report.rounds(),
                    TimeUnit.NANOSECONDS.toMillis(report.downtime().total()));
        } finally {
            guest.runs = false;
        }

        assertThat(destination.memory.mismatch(source.memory))
                .as("first difference, %s", seed)
                .isEqualTo(NONE);
    }

    private MigrationReport migrate(Machine source, Machine destination, Guest guest) throws Exception {
        MigrationParameters parameters = MigrationParameters.builder()
                .downtimeLimit(Duration.ofSeconds(20))
                .build();
        Listening listening = new Listening();
        IncomingMigration incoming =
                new IncomingMigration(LibC.system(), destination.handlers, VirtualMachine.NONE, parameters, listening);
        Future<LoadReport> loaded =
                destinationRuns.submit(() -> incoming.run(new TransportAddress.Unix(folder.resolve("socket"))));
        OutgoingMigration outgoing = new OutgoingMigration(
                LibC.system(),
                source.handlers,
                guest,
                parameters,
                (forecast, limits) -> forecast.isReady() && forecast.round() >= LEAST_ROUNDS
                        ? SwitchoverPolicy.Decision.SWITCH_OVER
                        : SwitchoverPolicy.Decision.CONTINUE,
                MigrationListener.NONE);
        MigrationReport report = outgoing.run(listening.await(WAIT_SECONDS));
        loaded.get(WAIT_SECONDS, TimeUnit.SECONDS);
        return report;
    }
}
