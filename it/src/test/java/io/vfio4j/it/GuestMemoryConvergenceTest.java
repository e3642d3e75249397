// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.TranslatedTracker;
import io.vfio4j.dirty.UserfaultTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.migration.handler.GuestMemoryHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.testing.HugePages;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Listening;
import io.vfio4j.transport.TransportAddress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Guest memory of {@code -Dvfio4j.memory.mib} MiB, 128 unless told otherwise, that is written to at a part of the
 * link's rate and watched by PAGEMAP_SCAN: it converges, or the migration says that it does not and the guest runs on.
 * What each did is printed, the rate that the writer reached too.
 */
@ExtendWith(LeakCheck.class)
class GuestMemoryConvergenceTest {
    private static final long SIZE = Long.getLong("vfio4j.memory.mib", 128) << 20;
    private static final long PAGE = GuestMemory.PAGE_BYTES;
    private static final long ADDRESS = 1L << 32;
    private static final long WAIT_SECONDS = 300;
    private static final int MOST_ROUNDS = 40;
    private static final long UNLIMITED = 0;

    private final Arena arena = Arena.ofShared();
    private final ExecutorService destinationRuns = Executors.newSingleThreadExecutor();
    private final List<AutoCloseable> opened = new ArrayList<>();

    /** What the memory is made of. */
    enum Pages {
        /** Each first write after a collection faults, so that no processor keeps up with loopback: its rate is cut. */
        SMALL(PAGE, 0),

        /** Few faults, so that the writer keeps up with all that loopback gives. */
        HUGE(HugePages.BYTES, HugePages.MAP_FLAGS);

        private final long bytes;
        private final int flags;

        Pages(long bytes, int flags) {
            this.bytes = bytes;
            this.flags = flags;
        }

        MemorySegment map(Arena arena) {
            return MappedMemory.map(LibC.system(), SIZE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS | flags, -1, arena);
        }
    }

    /** A guest that writes to one page after the other, at a rate. */
    private static final class Writer implements VirtualMachine {
        private static final long STEP_NANOS = 1_000_000;

        private final MemorySegment memory;
        private final long page;
        private final double pagesPerNano;
        private Thread cpu = new Thread();
        private volatile boolean runs;
        private long written;
        private long nanos;

        Writer(MemorySegment memory, long page, double bytesPerSecond) {
            this.memory = memory;
            this.page = page;
            this.pagesPerNano = bytesPerSecond / page / TimeUnit.SECONDS.toNanos(1);
        }

        @Override
        public void resume() {
            runs = true;
            cpu = new Thread(this::run, "vfio4j-test-cpu");
            cpu.start();
        }

        private void run() {
            long begin = System.nanoTime();
            long before = written;
            while (runs) {
                long due = before + (long) ((System.nanoTime() - begin) * pagesPerNano);
                while (written < due && runs) {
                    memory.set(JAVA_LONG, written % (SIZE / page) * page + written % 512 * 8, ++written);
                }
                LockSupport.parkNanos(STEP_NANOS);
            }
            nanos += System.nanoTime() - begin;
        }

        /** What was written indeed, in bytes of the pages that were written to, up to the last stop. */
        long bytesPerSecond() {
            return (long) ((double) written * page * TimeUnit.SECONDS.toNanos(1) / Math.max(1, nanos));
        }

        @Override
        public void stop() {
            runs = false;
            try {
                cpu.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @AfterEach
    void close() throws Exception {
        destinationRuns.close();
        for (AutoCloseable each : opened.reversed()) {
            each.close();
        }
    }

    /** Migrates; null when it did not converge. */
    private @Nullable MigrationReport migrate(VirtualMachine vm, GuestMemoryHandler from, MemorySegment to, long most)
            throws Exception {
        MigrationParameters parameters = MigrationParameters.builder()
                .downtimeLimit(Duration.ofMillis(300))
                .maxBytesPerSecond(most)
                .maxRounds(MOST_ROUNDS)
                .whenNotConverging(NotConverging.GIVE_UP)
                .build();
        Listening listening = new Listening();
        IncomingMigration incoming = new IncomingMigration(
                LibC.system(),
                List.of(new GuestMemory(List.of(Region.of("ram", ADDRESS, to))).handler("ram")),
                VirtualMachine.NONE,
                parameters,
                listening);
        Future<LoadReport> loaded =
                destinationRuns.submit(() -> incoming.run(TransportAddress.parse("tcp:127.0.0.1:0")));
        OutgoingMigration outgoing = new OutgoingMigration(
                LibC.system(), List.of(from), vm, parameters, SwitchoverPolicy.STANDARD, MigrationListener.NONE);
        try {
            MigrationReport report = outgoing.run(listening.await(WAIT_SECONDS));
            loaded.get(WAIT_SECONDS, TimeUnit.SECONDS);
            return report;
        } catch (MigrationException e) {
            assertThat(e.reason()).isEqualTo(MigrationException.Reason.NOT_CONVERGED);
            assertThat(e).hasMessageContaining("pre-copy does not converge");
            try {
                loaded.get(WAIT_SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException failed) {
                assertThat(failed).hasCauseInstanceOf(MigrationException.class);
            }
            return null;
        }
    }

    private static String digest(MemorySegment memory) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (long at = 0; at < SIZE; at += 1 << 20) {
            digest.update(memory.asSlice(at, 1 << 20).asByteBuffer());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    @ParameterizedTest
    @EnumSource(Pages.class)
    void shouldConvergeOrSayThatItDoesNotAtAnyRateOfWrites(Pages pages) throws Exception {
        if (pages == Pages.HUGE) {
            opened.add(HugePages.take(2 * SIZE / pages.bytes));
        }
        opened.add(arena);
        MemorySegment source = pages.map(arena);
        MemorySegment destination = pages.map(arena);
        TranslatedTracker tracker = new TranslatedTracker(
                new UserfaultTracker(LibC.system()),
                List.of(new TranslatedTracker.Mapping(new AddressRange(ADDRESS, SIZE), source.address())));
        opened.add(tracker);
        requireAsynchronousWriteProtection(tracker);
        destination.fill((byte) 0);
        for (long at = 0; at < SIZE; at += PAGE) {
            source.set(JAVA_LONG, at + 8, at / PAGE + 1);
        }

        // The first one goes through code and host memory that nobody has touched before: that is no link's rate.
        migrate(VirtualMachine.NONE, memory(source, tracker).handler("ram"), destination, UNLIMITED);
        MigrationReport idle =
                migrate(VirtualMachine.NONE, memory(source, tracker).handler("ram"), destination, UNLIMITED);
        assertThat(idle).isNotNull();
        long loopback = idle == null ? 0 : idle.preCopyBytesPerSecond();
        long link = pages == Pages.SMALL ? faultingBytesPerSecond(source, tracker) / 2 : loopback;
        long most = pages == Pages.SMALL ? link : UNLIMITED;
        for (double part : new double[] {0.2, 0.5, 0.9}) {
            GuestMemory memory = memory(source, tracker);
            GuestMemoryHandler handler = memory.handler("ram");
            Writer writer = new Writer(source, pages.bytes, part * link);
            writer.resume();
            MigrationReport report = null;
            try {
                report = migrate(writer, handler, destination, most);
                assertThat(writer.runs).as("the guest runs at one side").isEqualTo(report == null);
            } finally {
                writer.stop();
            }
            GuestMemory.Statistics statistics = memory.statistics(List.of(handler));
            System.out.printf(
                    "%d MiB of %s pages, writes at %.1f of %d MiB/s (loopback: %d), did %d: %s; %d MiB went again, %d collections, "
                            + "became dirty at %d MiB/s%n",
                    SIZE >> 20,
                    pages,
                    part,
                    link >> 20,
                    loopback >> 20,
                    writer.bytesPerSecond() >> 20,
                    report == null
                            ? "does not converge in " + MOST_ROUNDS + " rounds"
                            : "converged in " + report.rounds() + " rounds, downtime "
                                    + report.downtime().total() / 1_000_000 + " ms",
                    statistics.resentBytes() >> 20,
                    statistics.collections(),
                    statistics.dirtyBytesPerSecond() >> 20);
            if (report != null) {
                assertThat(digest(destination)).as("at %s of the rate", part).isEqualTo(digest(source));
            }
        }
    }

    private static void requireAsynchronousWriteProtection(TranslatedTracker tracker) throws Exception {
        try {
            tracker.start(List.of(new AddressRange(ADDRESS, SIZE)), PAGE);
            tracker.stop();
        } catch (DirtyTrackingException e) {
            assumeTrue(e.problem() != DirtyTrackingException.Problem.UNSUPPORTED, e.getMessage());
            throw e;
        }
    }

    /** How fast one thread writes to pages that are all watched, when nobody else wants the processor. */
    private static long faultingBytesPerSecond(MemorySegment memory, TranslatedTracker tracker) throws Exception {
        AddressRange all = new AddressRange(ADDRESS, SIZE);
        tracker.start(List.of(all), PAGE);
        // What has not been collected once is not protected yet: it counts as written.
        tracker.collect(all, new DirtyBitmap(Arena.ofAuto(), all, PAGE));
        long begin = System.nanoTime();
        for (long at = 0; at < SIZE; at += PAGE) {
            memory.set(JAVA_LONG, at, at);
        }
        long nanos = System.nanoTime() - begin;
        tracker.stop();
        return SIZE * TimeUnit.SECONDS.toNanos(1) / Math.max(1, nanos);
    }

    private static GuestMemory memory(MemorySegment source, TranslatedTracker tracker) {
        return new GuestMemory(List.of(Region.of("ram", ADDRESS, source)), tracker);
    }
}
