// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.dirty.TranslatedTracker;
import io.vfio4j.dirty.UserfaultTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.migration.handler.GuestMemoryHandler;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportAddress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Guest memory that is written to while it migrates, watched by what any host has: userfaultfd and PAGEMAP_SCAN. */
@ExtendWith(LeakCheck.class)
class GuestMemoryMigrationTest {
    private static final long PAGE = GuestMemory.PAGE_BYTES;
    private static final long GUEST_ADDRESS = 1L << 32;
    private static final long SIZE = 24L << 20;
    private static final long NONE = -1;

    @TempDir
    private Path folder = Path.of("");

    private final Seed seed = new Seed();
    private final Random random = seed.random();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment source = map(SIZE);
    private final MemorySegment destination = map(SIZE);
    private final DirtyTracker tracker = new TranslatedTracker(
            new UserfaultTracker(LibC.system()),
            List.of(new TranslatedTracker.Mapping(new AddressRange(GUEST_ADDRESS, SIZE), source.address())));

    private MemorySegment map(long size) {
        return MappedMemory.map(LibC.system(), size, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS | pages(), -1, arena);
    }

    /** Flags of {@code mmap} that say what pages the memory is to have. */
    int pages() {
        return 0;
    }

    @BeforeEach
    void needsAsynchronousWriteProtection() throws Exception {
        try {
            tracker.start(List.of(new AddressRange(GUEST_ADDRESS, SIZE)), PAGE);
            tracker.stop();
        } catch (DirtyTrackingException e) {
            assumeTrue(e.problem() != Problem.UNSUPPORTED, e.getMessage());
            throw e;
        }
        WritingGuest.fill(source, random);
    }

    @AfterEach
    void close() {
        tracker.close();
        arena.close();
    }

    private static List<Region> regions(MemorySegment memory) {
        return List.of(Region.of("ram", GUEST_ADDRESS, memory));
    }

    private static MigrationParameters parameters(Overlap overlap) {
        return MigrationParameters.builder()
                .overlap(overlap)
                .chunkBytes(256 << 10)
                .downtimeLimit(Duration.ofSeconds(5))
                .build();
    }

    private TwoSides sides(String transport) {
        TwoSides sides = new TwoSides(LibC.system(), folder);
        return transport.equals("tcp")
                ? sides.over(TransportAddress::parse, TransportAddress.parse("tcp:127.0.0.1:0"))
                : sides;
    }

    @ParameterizedTest
    @CsvSource({"unix, OFF, 1", "unix, ON, 1", "tcp, OFF, 3", "tcp, ON, 3"})
    void shouldArriveAsItWasWhenTheGuestStopped(String transport, Overlap overlap, int shares) throws Exception {
        GuestMemory from = new GuestMemory(regions(source), tracker);
        GuestMemory to = new GuestMemory(regions(destination));
        List<GuestMemoryHandler> handlers = from.handlers("ram", shares);
        try (WritingGuest guest = new WritingGuest(source, random, 0)) {
            guest.resume();
            TwoSides.Outcome outcome =
                    sides(transport).of(guest).migrate(handlers, to.handlers("ram", shares), parameters(overlap));
            outcome.completed();
            assertThat(guest.runs()).isFalse();
        }
        assertThat(destination.mismatch(source))
                .as("first difference, %s", seed)
                .isEqualTo(NONE);
    }
}
