// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Forecast;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Listening;
import io.vfio4j.transport.TransportAddress;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Shows that a chunk allocates nothing on its way: not on the thread that reads and sends it, not on the one that
 * receives, verifies and writes it, nor on those beside them where the two overlap.
 *
 * <p>Whatever is allocated once (threads, classes, a round's record) falls into some windows of chunks and not into
 * others; what a chunk allocates is in every window. So one window of zero bytes proves it. What the emulator does
 * within a read or write of the device does not count; that the bindings' own calls allocate nothing is shown by
 * AllocationTest in ffm-bindings.
 */
@ExtendWith(LeakCheck.class)
class ChunkAllocationTest {
    private static final String DEVICE = "emulated:size=16MiB,dirty=400MiB/s";
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("emulated", "vfio4j-emulator");
    private static final long WAIT_SECONDS = 60;
    private static final int CHUNK_BYTES = 4096;

    /** What each look at the clock adds: as much as lets the device change by one chunk, so that it never runs dry. */
    private static final long TICK_NANOS = 10_000;

    /** Where the search ends: four rounds of 8 windows each. */
    private static final long MAX_BYTES = 64L << 20;

    @TempDir
    private Path folder = Path.of("");

    private final ExecutorService destinationRuns = Executors.newSingleThreadExecutor();
    private final Meter saving = new Meter();
    private final Meter loading = new Meter();

    /**
     * Samples how much a side's threads allocate, from within the one that reads or writes the device, once a window.
     */
    private static final class Meter {
        private static final int WINDOW = 512;
        private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

        private final List<Thread> started = new ArrayList<>();
        private long[] others = {};
        private long[] othersBefore = {};
        private long workerBefore;
        private long allocated;
        private int chunks;
        private volatile long least = Long.MAX_VALUE;

        /** Starts a migration's thread. */
        void execute(Runnable work) {
            Thread thread = Thread.ofPlatform().unstarted(work);
            synchronized (started) {
                started.add(thread);
            }
            thread.start();
        }

        /** The device is about to be read or written: a chunk has come back to where it began. */
        void enterDevice() {
            allocated += THREADS.getCurrentThreadAllocatedBytes() - workerBefore;
            chunks++;
            if (chunks % WINDOW == 0) {
                endWindow();
            }
        }

        /** The device was read or written. */
        void leaveDevice() {
            workerBefore = THREADS.getCurrentThreadAllocatedBytes();
        }

        private void endWindow() {
            for (int i = 0; i < others.length; i++) {
                allocated += THREADS.getThreadAllocatedBytes(others[i]) - othersBefore[i];
            }
            if (chunks == WINDOW) {
                // Only now is it certain that all of them have begun.
                findOthers();
            } else {
                least = Math.min(least, allocated);
            }
            for (int i = 0; i < others.length; i++) {
                othersBefore[i] = THREADS.getThreadAllocatedBytes(others[i]);
            }
            allocated = 0;
        }

        private void findOthers() {
            synchronized (started) {
                others = started.stream()
                        .filter(thread -> thread.getName().matches("vfio4j-(send|receive)"))
                        .mapToLong(Thread::threadId)
                        .toArray();
            }
            othersBefore = new long[others.length];
        }

        /** How many threads are measured. */
        int threads() {
            return 1 + others.length;
        }

        /** The fewest bytes that a window of chunks has allocated. */
        long least() {
            return least;
        }
    }

    /** Opens a device so that the meter sees each chunk. */
    private static VfioDevice open(EmulatedKernel kernel, EmulatedDevice device, Meter meter) throws Exception {
        LibC metered = new ForwardingLibC(kernel) {
            @Override
            public long read(int fd, MemorySegment buffer, long offset, long length) {
                meter.enterDevice();
                long result = super.read(fd, buffer, offset, length);
                meter.leaveDevice();
                return result;
            }

            @Override
            public long write(int fd, MemorySegment buffer, long offset, long length) {
                meter.enterDevice();
                long result = super.write(fd, buffer, offset, length);
                meter.leaveDevice();
                return result;
            }
        };
        return new VfioHost(metered, Path.of("/sys"), Path.of("/dev"))
                .open(DeviceAddress.parse(device.cdevPath()), IDENTITY);
    }

    private static MigrationParameters parameters(Overlap overlap, Meter meter) {
        return MigrationParameters.builder()
                .chunkBytes(CHUNK_BYTES)
                .overlap(overlap)
                .executor(meter::execute)
                .build();
    }

    /** Goes on with pre-copy until each meter has seen a window without allocation, or the search is over. */
    private static SwitchoverPolicy.Decision decide(Forecast forecast, Meter... meters) {
        boolean found = Stream.of(meters).allMatch(meter -> meter.least() == 0);
        return forecast.isReady() && (found || forecast.sentBytes() >= MAX_BYTES)
                ? SwitchoverPolicy.Decision.SWITCH_OVER
                : SwitchoverPolicy.Decision.CONTINUE;
    }

    private OutgoingMigration outgoing(EmulatedKernel kernel, VfioDevice source, Overlap overlap, Meter... meters) {
        return new OutgoingMigration(
                kernel,
                VfioDeviceHandler.inOrder(source),
                VirtualMachine.NONE,
                parameters(overlap, saving),
                (forecast, limits) -> decide(forecast, meters),
                MigrationListener.NONE);
    }

    private IncomingMigration incoming(
            EmulatedKernel kernel, VfioDevice destination, Overlap overlap, MigrationListener listener) {
        return new IncomingMigration(
                kernel,
                VfioDeviceHandler.inOrder(destination),
                VirtualMachine.NONE,
                parameters(overlap, loading),
                listener);
    }

    private void migrate(String peer, EmulatedKernel kernel, VfioDevice source, VfioDevice destination, Overlap overlap)
            throws Exception {
        Listening listening = new Listening();
        IncomingMigration incoming = incoming(kernel, destination, overlap, listening);
        Future<LoadReport> loaded = destinationRuns.submit(() -> incoming.run(TransportAddress.parse(peer)));
        outgoing(kernel, source, overlap, saving, loading).run(listening.await(WAIT_SECONDS));
        loaded.get(WAIT_SECONDS, TimeUnit.SECONDS);
    }

    private void saveAndLoad(EmulatedKernel kernel, VfioDevice source, VfioDevice destination, Overlap overlap)
            throws Exception {
        TransportAddress file = new TransportAddress.File(folder.resolve("state"));
        outgoing(kernel, source, overlap, saving).run(file);
        incoming(kernel, destination, overlap, MigrationListener.NONE).run(file);
    }

    @ParameterizedTest
    @CsvSource({"tcp, OFF, 1", "tcp, ON, 2", "unix, OFF, 1", "unix, ON, 2", "file, OFF, 1", "file, ON, 2"})
    void shouldAllocateNothingPerChunk(String transport, Overlap overlap, int threads) throws Exception {
        AtomicLong clock = new AtomicLong();
        EmulatedDeviceSpec spec = EmulatedDeviceSpec.parse(DEVICE);
        try (EmulatedKernel kernel = new EmulatedKernel(LibC.system(), () -> clock.addAndGet(TICK_NANOS));
                VfioDevice source = open(kernel, kernel.add(spec), saving);
                VfioDevice destination = open(kernel, kernel.add(spec.withDirtyRate(0)), loading)) {
            switch (transport) {
                case "tcp" -> migrate("tcp:127.0.0.1:0", kernel, source, destination, overlap);
                case "unix" -> migrate("unix:" + folder.resolve("socket"), kernel, source, destination, overlap);
                default -> saveAndLoad(kernel, source, destination, overlap);
            }
        } finally {
            destinationRuns.close();
        }

        assertThat(saving.threads()).isEqualTo(threads);
        assertThat(loading.threads()).isEqualTo(threads);
        assertThat(saving.least())
                .as("bytes allocated to save %d chunks", Meter.WINDOW)
                .isZero();
        assertThat(loading.least())
                .as("bytes allocated to load %d chunks", Meter.WINDOW)
                .isZero();
    }
}
