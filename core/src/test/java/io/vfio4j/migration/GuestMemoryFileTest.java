// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.SwitchoverPolicy.Decision;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.migration.handler.GuestMemoryHandler;
import io.vfio4j.stream.PageTable;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Guest memory in a file: each page has one place there. */
@ExtendWith(LeakCheck.class)
class GuestMemoryFileTest {
    private static final long PAGE = GuestMemory.PAGE_BYTES;
    private static final long ADDRESS = 1L << 30;
    private static final int PAGES = 1024;
    private static final int ROM_PAGES = 3;
    private static final long NONE = -1;

    /** Behind HELLO and PLACES, which are shorter than that here. */
    private static final long PLACES = 4096;

    @TempDir
    private Path folder = Path.of("");

    private final Seed seed = new Seed();
    private final Random random = seed.random();
    private final MemorySegment ram = Arena.ofAuto().allocate(PAGES * PAGE, PAGE);
    private final MemorySegment rom = Arena.ofAuto().allocate(ROM_PAGES * PAGE, PAGE);
    private final MemorySegment loadedRam = Arena.ofAuto().allocate(PAGES * PAGE, PAGE);
    private final MemorySegment loadedRom = Arena.ofAuto().allocate(ROM_PAGES * PAGE, PAGE);

    @BeforeEach
    void fill() {
        WritingGuest.fill(ram, random);
        WritingGuest.fill(rom, random);
        // What is there before is to go.
        loadedRam.fill((byte) 0x5a);
    }

    private Path file(String name) {
        return folder.resolve(name);
    }

    private static List<Region> regions(MemorySegment ram, MemorySegment rom) {
        return List.of(Region.of("ram", ADDRESS, ram), Region.of("rom", 0, rom).withReadOnly());
    }

    private static MigrationParameters parameters(Overlap overlap) {
        return MigrationParameters.builder()
                .overlap(overlap)
                .chunkBytes(64 << 10)
                .build();
    }

    /** After so many rounds. */
    private static SwitchoverPolicy after(int rounds) {
        return (forecast, limits) -> forecast.round() > rounds ? Decision.SWITCH_OVER : Decision.CONTINUE;
    }

    private void save(
            TransportAddress.File to,
            List<? extends StateHandler> handlers,
            VirtualMachine vm,
            int rounds,
            Overlap overlap)
            throws IOException {
        new OutgoingMigration(LibC.system(), handlers, vm, parameters(overlap), after(rounds), new Recorder()).run(to);
    }

    private void load(Path from, List<? extends StateHandler> handlers, Overlap overlap) throws IOException {
        new IncomingMigration(LibC.system(), handlers, VirtualMachine.NONE, parameters(overlap), new Recorder())
                .run(new TransportAddress.File(from));
    }

    private List<GuestMemoryHandler> loading(int shares) {
        return new GuestMemory(regions(loadedRam, loadedRom)).handlers("ram", shares);
    }

    private void assertLoaded() {
        assertThat(loadedRam.mismatch(ram)).as("first difference, %s", seed).isEqualTo(NONE);
        assertThat(loadedRom.mismatch(rom)).as("first difference, %s", seed).isEqualTo(NONE);
    }

    /** Saves memory that nothing writes to. */
    private Path saved(String name) throws IOException {
        Path file = file(name);
        save(
                new TransportAddress.File(file),
                new GuestMemory(regions(ram, rom), new CollectedGuest(ram, random, 0)).handlers("ram", 1),
                VirtualMachine.NONE,
                0,
                Overlap.OFF);
        return file;
    }

    @ParameterizedTest
    @CsvSource({"1, OFF, false", "1, ON, true", "3, OFF, true", "3, ON, false"})
    void shouldLoadWhatWasThereWhenTheGuestStopped(int shares, Overlap overlap, boolean direct) throws Exception {
        CollectedGuest guest = new CollectedGuest(ram, random, 50);
        GuestMemory memory = new GuestMemory(regions(ram, rom), guest);
        Path file = file("state");
        try {
            save(new TransportAddress.File(file, direct), memory.handlers("ram", shares), guest.machine(), 3, overlap);
        } catch (MigrationException e) {
            Assumptions.assumeFalse(
                    direct && String.valueOf(e.getMessage()).contains("cannot write past the page cache"),
                    "no O_DIRECT where temporary files are");
            throw e;
        }

        load(file, loading(shares), overlap);

        assertLoaded();
    }

    @Test
    void shouldNotGrowWithTheRounds() throws Exception {
        CollectedGuest guest = new CollectedGuest(ram, random, 400);
        GuestMemory memory = new GuestMemory(regions(ram, rom), guest);
        List<GuestMemoryHandler> handlers = memory.handlers("ram", 1);
        save(new TransportAddress.File(file("many")), handlers, guest.machine(), 8, Overlap.OFF);
        assertThat(memory.statistics(handlers).resentBytes()).isGreaterThan(PAGES * PAGE);

        // The same memory once more, and now nothing writes to it.
        assertThat(Files.size(file("many"))).isEqualTo(Files.size(saved("once")));
        assertThat(Files.size(file("many")))
                .isBetween(PLACES + (PAGES + ROM_PAGES) * PAGE, PLACES + (PAGES + ROM_PAGES + 8) * PAGE);
    }

    /** The kernel, with a disk that takes only so many writes to places. */
    private static final class FullDisk extends ForwardingLibC {
        private final AtomicInteger room;

        FullDisk(int writes) {
            this.room = new AtomicInteger(writes);
        }

        @Override
        public long pwrite(int fd, MemorySegment buffer, long offset, long length, long position) {
            return room.getAndDecrement() > 0
                    ? super.pwrite(fd, buffer, offset, length, position)
                    : Errno.ENOSPC.negated();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldLetTheGuestGoOnWhenTheDiskIsFullWhilePagesGoToTheirPlaces(boolean stopped) throws Exception {
        CollectedGuest guest = new CollectedGuest(ram, random, 50);
        FullDisk disk = new FullDisk(stopped ? Integer.MAX_VALUE : 3);
        RecordingVm vm = new RecordingVm();
        vm.atStop = () -> {
            guest.runs = false;
            disk.room.set(0);
        };
        vm.atResume = () -> guest.runs = true;
        List<GuestMemoryHandler> handlers = new GuestMemory(regions(ram, rom), guest).handlers("ram", 1);
        OutgoingMigration outgoing =
                new OutgoingMigration(disk, handlers, vm, parameters(Overlap.OFF), after(3), new Recorder());

        assertThatThrownBy(() -> outgoing.run(new TransportAddress.File(file("state"))))
                .isInstanceOfSatisfying(
                        MigrationException.class, e -> assertThat(e.reason()).isEqualTo(Reason.TRANSPORT))
                .hasMessageContaining("writing to")
                .hasMessageContaining("state")
                .hasMessageContaining(Errno.describe(Errno.ENOSPC.negated()));

        assertThat(vm.calls).isEqualTo(stopped ? List.of("stop", "resume") : List.of());
        assertThat(guest.runs).isTrue();
        assertThat(guest.watches).isFalse();
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    /** A guest that clears pages, once, after they have gone. */
    private static final class Clearing implements DirtyTracker {
        private final MemorySegment memory;
        private final long first;
        private final long count;
        private boolean done;

        Clearing(MemorySegment memory, long first, long count) {
            this.memory = memory;
            this.first = first;
            this.count = count;
        }

        @Override
        public Capability capability() {
            return new Capability("a guest that clears", Set.of(), false, "nothing");
        }

        @Override
        public long start(List<AddressRange> ranges, long pageSizeHint) {
            return pageSizeHint;
        }

        @Override
        public Collected collect(AddressRange range, DirtyBitmap into) {
            if (!done) {
                done = true;
                memory.asSlice(first * PAGE, count * PAGE).fill((byte) 0);
                into.mark(new AddressRange(range.start() + first * PAGE, count * PAGE));
            }
            return Collected.REPORTED;
        }

        @Override
        public void stop() {}

        @Override
        public void close() {}
    }

    @Test
    void shouldLeaveHolesForPagesThatAreZeroOrBecomeSo() throws Exception {
        ram.fill((byte) 1);
        ram.asSlice(100 * PAGE, 200 * PAGE).fill((byte) 0);
        save(
                new TransportAddress.File(file("state")),
                new GuestMemory(regions(ram, rom), new Clearing(ram, 500, 300)).handlers("ram", 1),
                VirtualMachine.NONE,
                0,
                Overlap.OFF);

        int fd = LibC.system().open(file("state").toString(), LibC.O_RDONLY | LibC.O_CLOEXEC);
        try {
            assertThat(hole(fd, 0)).isEqualTo(100);
            assertThat(data(fd, 100)).isEqualTo(300);
            assertThat(hole(fd, 300)).isEqualTo(500);
            assertThat(data(fd, 500)).isEqualTo(800);
            assertThat(hole(fd, 800)).isGreaterThanOrEqualTo(PAGES);
        } finally {
            LibC.system().close(fd);
        }
        load(file("state"), loading(1), Overlap.OFF);
        assertLoaded();
    }

    private static long hole(int fd, long page) {
        return (LibC.system().lseek(fd, PLACES + page * PAGE, LibC.SEEK_HOLE) - PLACES) / PAGE;
    }

    private static long data(int fd, long page) {
        return (LibC.system().lseek(fd, PLACES + page * PAGE, LibC.SEEK_DATA) - PLACES) / PAGE;
    }

    private void turnABitOver(Path file, long at) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(at);
            int value = bytes.read();
            bytes.seek(at);
            bytes.write(value ^ 1 << random.nextInt(8));
        }
    }

    @Test
    void shouldNameThePageThatIsDamaged() throws Exception {
        ram.set(JAVA_BYTE, 77 * PAGE, (byte) 1);
        rom.set(JAVA_BYTE, 2 * PAGE, (byte) 1);
        Path file = saved("state");
        turnABitOver(file, PLACES + 77 * PAGE + random.nextInt((int) PAGE));
        assertThatThrownBy(() -> load(file, loading(1), Overlap.OFF))
                .isInstanceOf(MigrationException.class)
                .hasMessageContaining("ram0: page 77 of region ram (guest address 0x4004d000) did not come as it was");

        Path other = saved("other");
        turnABitOver(other, PLACES + (PAGES + 2) * PAGE + random.nextInt((int) PAGE));
        assertThatThrownBy(() -> load(other, loading(1), Overlap.OFF))
                .hasMessageContaining("page 2 of region rom (guest address 0x2000) did not come as it was");
    }

    @Test
    void shouldRefuseAFileThatIsCutOrWhoseIndexIsDamaged() throws Exception {
        Path file = saved("state");
        long length = Files.size(file);
        long frames = PLACES + (PAGES + ROM_PAGES) * PAGE;
        for (long cut : new long[] {length - 1, frames + 40, frames, frames - 1, PLACES + 5 * PAGE, PLACES, 400, 0}) {
            try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
                bytes.setLength(cut);
            }
            assertThatThrownBy(() -> load(file, loading(1), Overlap.OFF))
                    .as("cut at %d of %d", cut, length)
                    .isInstanceOf(MigrationException.class)
                    .hasMessageContaining("ends before");
        }
        Path damaged = saved("damaged");
        turnABitOver(damaged, frames + 32 + random.nextInt(1000) + 100);
        assertThatThrownBy(() -> load(damaged, loading(1), Overlap.OFF))
                .isInstanceOf(MigrationException.class)
                .hasMessageContaining("is damaged");
    }

    /** A handler of one page, before the placing of which something is done. */
    private static final class OnePage implements StateHandler {
        private final String name;
        private final Callable<?> placing;
        private final MemorySegment page = Arena.ofAuto().allocate(PAGE, PAGE);

        OnePage(String name, Callable<?> placing) {
            this.name = name;
            this.placing = placing;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Description description() {
            return new Description("page", 1, Map.of());
        }

        @Override
        public List<PageRange> placedPages() {
            return List.of(new PageRange(0, 0, 1));
        }

        @Override
        public void complete(StateOutput out) throws IOException {
            PooledBuffer table = out.acquire();
            PageTable.Writer writer = new PageTable.Writer();
            writer.begin(table);
            writer.present(0, 0);
            CRC32C crc = new CRC32C();
            crc.update(page.asByteBuffer());
            writer.page((int) crc.getValue());
            table.length(writer.length());
            out.sendPages(table, List.of(page));
        }

        @Override
        public List<MemorySegment> placePages(ByteBuffer table) throws IOException {
            try {
                placing.call();
            } catch (Exception e) {
                throw new IOException("it cannot be placed", e);
            }
            return List.of(page);
        }
    }

    @Test
    void shouldLoadTheSharesBesideEachOther() throws Exception {
        CyclicBarrier barrier = new CyclicBarrier(2);
        Callable<?> together = () -> barrier.await(30, TimeUnit.SECONDS);
        List<OnePage> from = List.of(new OnePage("a", () -> 0), new OnePage("b", () -> 0));
        List<OnePage> to = List.of(new OnePage("a", together), new OnePage("b", together));
        from.forEach(each -> each.page.set(JAVA_LONG, 8, random.nextLong()));
        save(new TransportAddress.File(file("state")), from, VirtualMachine.NONE, 0, Overlap.OFF);

        load(file("state"), to, Overlap.OFF);

        assertThat(to.getFirst().page.mismatch(from.getFirst().page)).isEqualTo(NONE);
        assertThat(to.getLast().page.mismatch(from.getLast().page)).isEqualTo(NONE);
    }

    @Test
    void shouldGiveUpWhenItIsCancelledWhilePagesAreLoaded() throws Exception {
        save(
                new TransportAddress.File(file("state")),
                List.of(new OnePage("a", () -> 0)),
                VirtualMachine.NONE,
                0,
                Overlap.OFF);
        CompletableFuture<IncomingMigration> loading = new CompletableFuture<>();
        CompletableFuture<Boolean> cancelled = new CompletableFuture<>();
        OnePage page = new OnePage("a", () -> cancelled.complete(loading.join().cancel()));
        loading.complete(new IncomingMigration(
                LibC.system(), List.of(page), VirtualMachine.NONE, parameters(Overlap.OFF), new Recorder()));

        assertThatThrownBy(() -> loading.join().run(new TransportAddress.File(file("state"))))
                .isInstanceOfSatisfying(
                        MigrationException.class,
                        failure -> assertThat(failure.reason()).isEqualTo(Reason.CANCELLED));
        assertThat(cancelled).isCompletedWithValue(true);
    }
}
