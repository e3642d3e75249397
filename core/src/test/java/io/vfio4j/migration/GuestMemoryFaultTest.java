// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.migration.handler.GuestMemoryHandler;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Migrations of guest memory that go wrong, and those that have to be slowed down, with a guest of no clock. */
@ExtendWith(LeakCheck.class)
class GuestMemoryFaultTest {
    private static final long PAGE = GuestMemory.PAGE_BYTES;
    private static final long ADDRESS = 1L << 30;
    private static final int PAGES = 1024;
    private static final long NONE = -1;
    private static final int CHUNK = 64 << 10;

    @TempDir
    private Path folder = Path.of("");

    private final Seed seed = new Seed();
    private final Random random = seed.random();
    private final Arena arena = Arena.ofShared();
    private final List<Integer> fds = new ArrayList<>();
    private final MemorySegment source = anonymous(PAGES);
    private final MemorySegment destination = anonymous(PAGES);
    private final CollectedGuest guest = new CollectedGuest(source, random, 8);

    private MemorySegment anonymous(long pages) {
        return MappedMemory.map(LibC.system(), pages * PAGE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
    }

    private MemorySegment memfd(long pages) {
        int fd = LibC.system().memfdCreate("guest-memory-test", LibC.MFD_CLOEXEC);
        fds.add(fd);
        assertThat(LibC.system().ftruncate(fd, pages * PAGE)).isZero();
        return MappedMemory.map(LibC.system(), pages * PAGE, LibC.MAP_SHARED, fd, arena);
    }

    @BeforeEach
    void fill() {
        WritingGuest.fill(source, random);
    }

    @AfterEach
    void close() {
        arena.close();
        fds.forEach(LibC.system()::close);
    }

    private static GuestMemory memory(MemorySegment memory) {
        return new GuestMemory(List.of(Region.of("ram", ADDRESS, memory)));
    }

    private GuestMemory guestMemory() {
        return new GuestMemory(List.of(Region.of("ram", ADDRESS, source)), guest);
    }

    private static MigrationParameters.Builder parameters() {
        return MigrationParameters.builder().chunkBytes(CHUNK).downtimeLimit(Duration.ofSeconds(10));
    }

    private TwoSides sides() {
        return new TwoSides(LibC.system(), folder).of(guest.machine());
    }

    private TwoSides sides(MemoryRelay relay) {
        return sides().over(
                        listening -> TransportAddress.parse(relay.to(listening)),
                        TransportAddress.parse("tcp:127.0.0.1:0"));
    }

    private void assertEqual(MemorySegment loaded) {
        assertThat(loaded.mismatch(source)).as("first difference, %s", seed).isEqualTo(NONE);
    }

    private void assertRunsOnUntracked() {
        assertThat(guest.runs).as("the guest runs on").isTrue();
        assertThat(guest.watches).as("tracking is off").isFalse();
    }

    @Test
    void shouldArriveEqualByRounds() throws Exception {
        GuestMemory memory = guestMemory();
        List<GuestMemoryHandler> handlers = List.of(memory.handler("ram"));

        MigrationReport report = sides().migrate(
                        handlers,
                        List.of(memory(destination).handler("ram")),
                        parameters().build())
                .completed();

        assertEqual(destination);
        assertThat(guest.watches).isFalse();
        GuestMemory.Statistics statistics = memory.statistics(handlers);
        assertThat(statistics.pages()).isEqualTo(PAGES);
        assertThat(statistics.zeroPages()).isBetween(PAGES / 8L, PAGES / 2L);
        assertThat(report.preCopyBytes() + report.stopCopyBytes())
                .as("only what has bytes counts")
                .isEqualTo(statistics.sentPages() * PAGE);
        assertThat(statistics.resentBytes()).isPositive();
    }

    @ParameterizedTest
    @EnumSource(
            value = Overlap.class,
            names = {"ON", "OFF"})
    void shouldGoThroughAFile(Overlap overlap) throws Exception {
        TransportAddress file = new TransportAddress.File(folder.resolve("state"));
        MigrationParameters parameters = parameters().overlap(overlap).build();
        new OutgoingMigration(
                        LibC.system(),
                        guestMemory().handlers("ram", 2),
                        guest.machine(),
                        parameters,
                        SwitchoverPolicy.STANDARD,
                        new Recorder())
                .run(file);

        new IncomingMigration(
                        LibC.system(),
                        memory(destination).handlers("ram", 2),
                        VirtualMachine.NONE,
                        parameters,
                        new Recorder())
                .run(file);

        assertEqual(destination);
    }

    @Test
    void shouldGoThroughGivenFds() throws Exception {
        List<Integer> here = new ArrayList<>();
        List<Integer> there = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            MemorySegment pair = arena.allocate(JAVA_INT, 2);
            assertThat(LibC.system().socketpair(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, pair))
                    .isZero();
            here.add(pair.getAtIndex(JAVA_INT, 0));
            there.add(pair.getAtIndex(JAVA_INT, 1));
        }
        fds.addAll(here);
        fds.addAll(there);

        sides().over(listening -> new TransportAddress.Fds(here), new TransportAddress.Fds(there))
                .migrate(
                        List.of(guestMemory().handler("ram")),
                        List.of(memory(destination).handler("ram")),
                        parameters().build())
                .completed();

        assertEqual(destination);
    }

    @Test
    void shouldRefuseAPageThatWasChangedOnItsWayAndRunOn() throws Exception {
        try (MemoryRelay relay = new MemoryRelay((frame, pages) -> {
            if (frame == 2) {
                pages[100] ^= 4;
            }
            return pages.length;
        })) {
            CollectedGuest idle = new CollectedGuest(source, random, 0);
            MigrationException e = new TwoSides(LibC.system(), folder)
                    .of(idle.machine())
                    .over(
                            listening -> TransportAddress.parse(relay.to(listening)),
                            TransportAddress.parse("tcp:127.0.0.1:0"))
                    .migrate(
                            List.of(new GuestMemory(List.of(Region.of("ram", ADDRESS, source)), idle).handler("ram")),
                            List.of(memory(destination).handler("ram")),
                            parameters().build())
                    .failed();

            assertThat(e)
                    .hasMessageContaining(" of region ram (guest address 0x4")
                    .hasMessageContaining("its checksum is wrong, and it was not sent again");
            assertThat(idle.runs).isTrue();
            assertThat(idle.watches).isFalse();
        }
    }

    @Test
    void shouldTakeAPageThatCameTornOnceItComesAgain() throws Exception {
        GuestMemory everything = new GuestMemory(List.of(Region.of("ram", ADDRESS, source)));
        try (MemoryRelay relay = new MemoryRelay((frame, pages) -> {
            if (frame == 2) {
                pages[100] ^= 4;
            }
            return pages.length;
        })) {
            sides(relay)
                    .migrate(
                            List.of(everything.handler("ram")),
                            List.of(memory(destination).handler("ram")),
                            parameters().build())
                    .completed();
        }
        assertEqual(destination);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4095, 4096, 10_000})
    void shouldFailWhenTheConnectionEndsInTheMidstOfPages(int arrive) throws Exception {
        try (MemoryRelay relay = new MemoryRelay((frame, pages) -> frame == 3 ? arrive : pages.length)) {
            MigrationException e = sides(relay)
                    .migrate(
                            List.of(guestMemory().handler("ram")),
                            List.of(memory(destination).handler("ram")),
                            parameters().build())
                    .failed();

            assertThat(e.reason()).isIn(Reason.TRANSPORT, Reason.PEER_FAILED);
        }
        assertRunsOnUntracked();
    }

    @Test
    void shouldRefuseADestinationWithLessMemoryBeforeAnythingIsTouched() throws Exception {
        MemorySegment small = anonymous(PAGES / 2);
        small.set(JAVA_BYTE, 0, (byte) 3);
        TwoSides sides = sides();
        MigrationException e = sides.migrate(
                        List.of(guestMemory().handler("ram")),
                        List.of(memory(small).handler("ram")),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.REFUSED);
        assertThat(e).hasMessageContaining("ram: region ram is 4 MiB at the source, 2 MiB here");
        assertThat(guest.collections).isZero();
        assertThat(small.get(JAVA_BYTE, 0)).isEqualTo((byte) 3);
        assertRunsOnUntracked();
    }

    @Test
    void shouldRefuseAnotherNumberOfHandlers() throws Exception {
        MigrationException e = sides().migrate(
                        guestMemory().handlers("ram", 2),
                        memory(destination).handlers("ram", 3),
                        parameters().build())
                .failed();

        assertThat(e).hasMessageContaining("ram2 is missing at the source");
        assertRunsOnUntracked();
    }

    @ParameterizedTest
    @EnumSource(
            value = Phase.class,
            names = {"SETUP", "PRE_COPY", "STOP_COPY", "HANDOVER"})
    void shouldRunOnUntrackedWhenItIsCancelled(Phase phase) throws Exception {
        TwoSides sides = sides();
        sides.sourceEvents.at(phase, () -> sides.outgoing().cancel());

        MigrationException e = sides.migrate(
                        guestMemory().handlers("ram", 2),
                        memory(destination).handlers("ram", 2),
                        parameters().build())
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.CANCELLED);
        assertRunsOnUntracked();
    }

    @Test
    void shouldServeAnotherMigrationAfterOneThatFailed() throws Exception {
        GuestMemory memory = guestMemory();
        GuestMemory there = memory(destination);
        List<GuestMemoryHandler> handlers = memory.handlers("ram", 2);
        List<GuestMemoryHandler> handlersThere = there.handlers("ram", 2);
        TwoSides failing = sides();
        failing.sourceEvents.at(Phase.HANDOVER, () -> failing.outgoing().cancel());
        failing.migrate(handlers, handlersThere, parameters().build()).failed();

        sides().migrate(handlers, handlersThere, parameters().build()).completed();

        assertEqual(destination);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void shouldArriveEqualAndSaySoWhenTheTrackerFails(int failAt) throws Exception {
        guest.failAt = failAt;
        TwoSides sides = sides();

        sides.migrate(
                        guestMemory().handlers("ram", 2),
                        memory(destination).handlers("ram", 2),
                        parameters().build())
                .completed();

        assertEqual(destination);
        assertThat(sides.sourceEvents.notices)
                .singleElement()
                .asString()
                .matches(
                        "ram[01]: the tracker of dirty pages has failed \\(the log is gone\\): from here on everything "
                                + "counts as dirty, each time");
    }

    /** Migrates by a policy that looks at what is left only, which depends on no clock. */
    private void migrateBy(CollectedGuest busy, SwitchoverPolicy policy) throws Exception {
        GuestMemory memory = new GuestMemory(List.of(Region.of("ram", ADDRESS, source)), busy);
        Recorder events = new Recorder();
        IncomingMigration incoming = new IncomingMigration(
                LibC.system(),
                List.of(memory(destination).handler("ram")),
                VirtualMachine.NONE,
                parameters().build(),
                events);
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            TransportAddress socket = new TransportAddress.Unix(folder.resolve("socket"));
            Future<?> loading = executor.submit(() -> incoming.run(socket));
            events.listening.take();
            try {
                new OutgoingMigration(
                                LibC.system(),
                                List.of(memory.handler("ram")),
                                busy.machine(),
                                parameters().build(),
                                policy,
                                new Recorder())
                        .run(socket);
                loading.get();
            } catch (MigrationException e) {
                assertThatThrownBy(loading::get).hasCauseInstanceOf(MigrationException.class);
                throw e;
            }
        }
    }

    @Test
    void shouldRunOnUntrackedWhenItDoesNotConverge() {
        CollectedGuest busy = new CollectedGuest(source, random, 4 * PAGES);

        assertThatThrownBy(() -> migrateBy(
                        busy,
                        (forecast, limits) -> forecast.round() >= 3
                                ? SwitchoverPolicy.Decision.GIVE_UP
                                : SwitchoverPolicy.Decision.CONTINUE))
                .isInstanceOfSatisfying(
                        MigrationException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_CONVERGED));
        assertThat(busy.runs).isTrue();
        assertThat(busy.watches).isFalse();
    }

    @Test
    void shouldConvergeWhenTheGuestIsSlowedDown() throws Exception {
        CollectedGuest busy = new CollectedGuest(source, random, 2 * PAGES);

        migrateBy(
                busy,
                (forecast, limits) -> forecast.pendingBytes() <= PAGES / 2 * PAGE
                        ? SwitchoverPolicy.Decision.SWITCH_OVER
                        : SwitchoverPolicy.Decision.THROTTLE);

        assertEqual(destination);
        assertThat(busy.throttles).startsWith(20, 30, 40).endsWith(0);
    }

    /** How many pages of memory are there, by {@code /proc/self/pagemap}. */
    private static long presentPages(MemorySegment memory) throws IOException {
        long present = 0;
        try (RandomAccessFile pagemap = new RandomAccessFile("/proc/self/pagemap", "r")) {
            pagemap.seek(memory.address() / PAGE * Long.BYTES);
            for (long page = 0; page < memory.byteSize() / PAGE; page++) {
                // The highest bit of the entry, which is little-endian.
                present += Long.reverseBytes(pagemap.readLong()) < 0 ? 1 : 0;
            }
        }
        return present;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldLeaveFreshMemorySparse(boolean file) throws Exception {
        MemorySegment from = anonymous(16 * PAGES);
        MemorySegment to = file ? memfd(16 * PAGES) : anonymous(16 * PAGES);
        for (int page = 0; page < 16 * PAGES; page += 1000) {
            from.set(JAVA_BYTE, page * PAGE, (byte) 1);
        }
        Region region = Region.of("ram", ADDRESS, to);
        GuestMemory there = new GuestMemory(List.of(region.withFresh()));
        CollectedGuest idle = new CollectedGuest(from, random, 0);

        MigrationReport report = new TwoSides(LibC.system(), folder)
                .of(idle.machine())
                .migrate(
                        List.of(new GuestMemory(List.of(Region.of("ram", ADDRESS, from)), idle).handler("ram")),
                        List.of(there.handler("ram")),
                        parameters().build())
                .completed();

        assertThat(report.preCopyBytes()).isEqualTo(17 * PAGE);
        assertThat(presentPages(to)).isBetween(17L, 64L);
        assertThat(to.mismatch(from)).isEqualTo(NONE);
    }
}
