// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.vfio4j.dirty.EverythingTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Listening;
import io.vfio4j.transport.TransportAddress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Shows what pages of guest memory cost the heap: no more than a view for each run of them, at either side, which NIO
 * needs to read and write a run in its place. What is allocated once is left out by the difference of two sizes.
 */
@ExtendWith(LeakCheck.class)
class MemoryAllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final long WAIT_SECONDS = 60;
    private static final long SMALL_MIB = 16;
    private static final long LARGE_MIB = 144;

    /** Both sides', where a chunk and with it a run is of 1 MiB: a view, a list and an array of one, and a check's. */
    private static final long MOST_BYTES_PER_MIB = 4096;

    private final ExecutorService destinationRuns = Executors.newSingleThreadExecutor();

    @AfterEach
    void close() {
        destinationRuns.close();
    }

    /** Returns what all threads of both sides have allocated, but for those that call the migrations. */
    private long allocatedBy(long mebibytes) throws Exception {
        AtomicLong allocated = new AtomicLong();
        MigrationParameters parameters = MigrationParameters.builder()
                .executor(work -> Thread.ofPlatform().start(() -> {
                    try {
                        work.run();
                    } finally {
                        allocated.addAndGet(THREADS.getCurrentThreadAllocatedBytes());
                    }
                }))
                .build();
        MemorySegment source = Arena.ofAuto().allocate(mebibytes << 20, GuestMemory.PAGE_BYTES);
        MemorySegment destination = Arena.ofAuto().allocate(mebibytes << 20, GuestMemory.PAGE_BYTES);
        source.fill((byte) 1);
        Listening listening = new Listening();
        IncomingMigration incoming = new IncomingMigration(
                LibC.system(),
                List.of(new GuestMemory(List.of(Region.of("ram", 0, destination))).handler("ram")),
                VirtualMachine.NONE,
                parameters,
                listening);
        Future<LoadReport> loaded =
                destinationRuns.submit(() -> incoming.run(TransportAddress.parse("tcp:127.0.0.1:0")));
        // Nothing is collected before the switchover, so that what is sent is all there is, once and then once more.
        new OutgoingMigration(
                        LibC.system(),
                        List.of(new GuestMemory(List.of(Region.of("ram", 0, source)), new EverythingTracker())
                                .handler("ram")),
                        VirtualMachine.NONE,
                        parameters,
                        (forecast, limits) -> SwitchoverPolicy.Decision.SWITCH_OVER,
                        MigrationListener.NONE)
                .run(listening.await(WAIT_SECONDS));
        loaded.get(WAIT_SECONDS, TimeUnit.SECONDS);
        assertThat(destination.mismatch(source)).isEqualTo(-1);
        return allocated.get();
    }

    @Test
    void shouldAllocateNoMoreThanViewsForPagesInTheirPlaces() throws Exception {
        allocatedBy(SMALL_MIB);

        long small = allocatedBy(SMALL_MIB);
        long large = allocatedBy(LARGE_MIB);

        long moreMebibytes = LARGE_MIB - SMALL_MIB;
        assertThat(large - small)
                .as("%d bytes for %d MiB, %d for %d", small, SMALL_MIB, large, LARGE_MIB)
                .isLessThan(moreMebibytes * MOST_BYTES_PER_MIB);
    }
}
