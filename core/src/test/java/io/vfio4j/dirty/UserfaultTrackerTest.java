// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.assertRefused;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.mm.Pagemap;
import io.vfio4j.ffm.mm.PagemapFd;
import io.vfio4j.ffm.mm.PmScanArg;
import io.vfio4j.ffm.mm.Userfaultfd;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** This process writes known pages of real memory, and exactly those are reported. Needs Linux 6.7. */
@ExtendWith(LeakCheck.class)
class UserfaultTrackerTest {
    private static final int COUNT = 256;
    private static final int MADV_DONTNEED = 4;
    private static final int NO_RESULT = Integer.MIN_VALUE;

    /** What the memory is. */
    enum Kind {
        ANONYMOUS,
        ANONYMOUS_AND_THERE,
        SHARED_FILE,
    }

    /** The real system calls, but for some that fail, and a count of what is open. */
    private static final class Calls extends ForwardingLibC {
        final Set<Integer> open = new HashSet<>();
        final Map<Long, Errno> failing = new HashMap<>();
        final List<Integer> userfaultfdFlags = new ArrayList<>();
        final List<Integer> userfaultfdResults = new ArrayList<>();
        int pagemapResult = NO_RESULT;
        boolean standsStill;
        int interruptions;

        @Override
        public int userfaultfd(int flags) {
            userfaultfdFlags.add(flags);
            return kept(userfaultfdResults.isEmpty() ? super.userfaultfd(flags) : userfaultfdResults.removeFirst());
        }

        @Override
        public int open(String path, int flags) {
            return kept(pagemapResult == NO_RESULT ? super.open(path, flags) : pagemapResult);
        }

        @Override
        public int close(int fd) {
            open.remove(fd);
            return super.close(fd);
        }

        @Override
        public int ioctl(int fd, long request, MemorySegment argument) {
            Errno error = failing.get(request);
            if (error != null) {
                return error.negated();
            }
            if (request == Pagemap.PAGEMAP_SCAN && interruptions > 0) {
                interruptions--;
                return Errno.EINTR.negated();
            }
            int result = super.ioctl(fd, request, argument);
            if (request == Pagemap.PAGEMAP_SCAN && standsStill) {
                PmScanArg.WALK_END.set(argument, PmScanArg.START.get(argument));
            }
            return result;
        }

        private int kept(int fd) {
            if (fd >= 0) {
                open.add(fd);
            }
            return fd;
        }
    }

    private final Calls calls = new Calls();
    private final Arena arena = Arena.ofConfined();
    private final UserfaultTracker tracker = new UserfaultTracker(calls);
    private final List<Integer> files = new ArrayList<>();

    @BeforeEach
    void needsAsynchronousWriteProtection() throws Exception {
        AddressRange page = range(memory(Kind.ANONYMOUS), 0, 1);
        try (UserfaultTracker probe = new UserfaultTracker(LibC.system())) {
            probe.start(List.of(page), PAGE);
        } catch (DirtyTrackingException e) {
            assumeTrue(e.problem() != Problem.UNSUPPORTED, e.getMessage());
            throw e;
        }
    }

    @AfterEach
    void close() {
        tracker.close();
        assertThat(calls.open).as("fds of the tracker").isEmpty();
        arena.close();
        files.forEach(LibC.system()::close);
    }

    private MemorySegment memory(Kind kind) {
        LibC libc = LibC.system();
        long length = COUNT * PAGE;
        if (kind == Kind.SHARED_FILE) {
            int file = libc.memfdCreate("userfault-tracker-test", LibC.MFD_CLOEXEC);
            files.add(file);
            assertThat(libc.ftruncate(file, length)).isZero();
            return MappedMemory.map(libc, length, LibC.MAP_SHARED, file, arena);
        }
        MemorySegment memory = MappedMemory.map(libc, length, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        if (kind == Kind.ANONYMOUS_AND_THERE) {
            write(memory, 0, COUNT);
        }
        return memory;
    }

    private static AddressRange range(MemorySegment memory, long first, long count) {
        return pages(memory.address(), first, count);
    }

    private static void write(MemorySegment memory, long first, long count) {
        for (long page = first; page < first + count; page++) {
            memory.set(JAVA_BYTE, page * PAGE + 77, (byte) 1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldReportExactlyThePagesThatWereWrittenAndForgetThem(Kind kind) throws Exception {
        MemorySegment memory = memory(kind);
        AddressRange all = range(memory, 0, COUNT);
        write(memory, 9, 1);
        assertThat(tracker.start(List.of(all), PAGE)).isEqualTo(PAGE);
        assertThat(collect(tracker, all)).as("all are clean from the start").isEmpty();

        write(memory, 0, 1);
        write(memory, 17, 3);
        write(memory, 63, 2);
        write(memory, 255, 1);
        assertThat(memory.get(JAVA_BYTE, 100 * PAGE))
                .as("reading is no writing")
                .isBetween((byte) 0, (byte) 1);
        assertThat(collect(tracker, all))
                .containsExactly(
                        range(memory, 0, 1), range(memory, 17, 3), range(memory, 63, 2), range(memory, 255, 1));
        assertThat(collect(tracker, all)).isEmpty();

        write(memory, 18, 1);
        assertThat(collect(tracker, all)).containsExactly(range(memory, 18, 1));
        assertThat(collect(tracker, all)).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void shouldReportRandomWritesInRandomParts(Kind kind) throws Exception {
        Seed seed = new Seed();
        Random random = seed.random();
        MemorySegment memory = memory(kind);
        tracker.start(List.of(range(memory, 0, COUNT)), PAGE);
        BitSet expected = new BitSet();
        for (int round = 0; round < 100; round++) {
            for (int i = random.nextInt(40); i > 0; i--) {
                int page = random.nextInt(COUNT);
                write(memory, page, 1);
                expected.set(page);
            }
            int first = random.nextInt(COUNT);
            int count = 1 + random.nextInt(COUNT - first);
            DirtyBitmap bitmap = new DirtyBitmap(arena, range(memory, 0, COUNT), PAGE);
            assertThat(tracker.collect(range(memory, first, count), bitmap)).isEqualTo(Collected.REPORTED);
            for (int page = 0; page < COUNT; page++) {
                assertThat(bitmap.isDirty(page))
                        .as("page %s, %s", page, seed)
                        .isEqualTo(page >= first && page < first + count && expected.get(page));
            }
            expected.clear(first, first + count);
        }
    }

    @Test
    void shouldReportMoreRunsThanOneScanReturns() throws Exception {
        long length = 3000 * PAGE;
        MemorySegment memory =
                MappedMemory.map(LibC.system(), length, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        AddressRange all = new AddressRange(memory.address(), length);
        tracker.start(List.of(all), PAGE);
        List<AddressRange> written = new ArrayList<>();
        for (int page = 0; page < 3000; page += 2) {
            write(memory, page, 1);
            written.add(range(memory, page, 1));
        }

        assertThat(collect(tracker, all)).isEqualTo(written);
        assertThat(collect(tracker, all)).isEmpty();
    }

    @Test
    void shouldReportWhatTheKernelWrites() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        AddressRange all = range(memory, 0, COUNT);
        tracker.start(List.of(all), PAGE);
        int file = LibC.system().memfdCreate("userfault-tracker-test", LibC.MFD_CLOEXEC);
        files.add(file);
        assertThat(LibC.system().ftruncate(file, 3 * PAGE)).isZero();

        assertThat(LibC.system().read(file, memory, 20 * PAGE + 1, 2 * PAGE)).isEqualTo(2 * PAGE);

        assertThat(collect(tracker, all)).containsExactly(range(memory, 20, 3));
    }

    @Test
    void shouldCallMemoryDirtyThatWasGivenBack() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS_AND_THERE);
        AddressRange all = range(memory, 0, COUNT);
        tracker.start(List.of(all), PAGE);

        assertThat(LibC.system().madvise(memory.address() + 8 * PAGE, 2 * PAGE, MADV_DONTNEED))
                .isZero();

        assertThat(collect(tracker, all)).containsExactly(range(memory, 8, 2));
        assertThat(memory.get(JAVA_BYTE, 8 * PAGE + 77)).isZero();
    }

    @Test
    void shouldWatchSeveralRangesAndOnlyThose() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        MemorySegment other = memory(Kind.SHARED_FILE);
        AddressRange low = range(memory, 10, 10);
        AddressRange next = range(memory, 20, 5);
        AddressRange far = range(other, 100, 28);
        tracker.start(List.of(far, next, low), PAGE);
        write(memory, 0, 30);
        write(other, 120, 20);

        assertThat(collect(tracker, range(memory, 12, 10))).containsExactly(range(memory, 12, 10));
        assertThat(collect(tracker, far)).containsExactly(range(other, 120, 8));
        assertThat(collect(tracker, range(memory, 10, 15))).containsExactly(range(memory, 10, 2), range(memory, 22, 3));
        DirtyBitmap bitmap = new DirtyBitmap(arena, range(memory, 0, COUNT), PAGE);
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(range(memory, 9, 2), bitmap))
                .contains("start it with that range");
    }

    @Test
    void shouldAddToLargerPagesOfABitmap() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        long large = 16 * PAGE;
        long start = memory.address() & -large;
        AddressRange around = new AddressRange(start, (COUNT + 32) * PAGE & -large);
        tracker.start(List.of(range(memory, 0, COUNT)), PAGE);
        long written = (start + 5 * large - memory.address()) / PAGE + 3;
        write(memory, written, 1);
        DirtyBitmap bitmap = new DirtyBitmap(arena, around, large);
        bitmap.mark(new AddressRange(start, 1));

        assertThat(tracker.collect(new AddressRange(start + 4 * large, 4 * large), bitmap))
                .isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap))
                .containsExactly(new AddressRange(start, large), new AddressRange(start + 5 * large, large));
    }

    @Test
    void shouldBeginAnewAfterAStop() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        AddressRange all = range(memory, 0, COUNT);
        tracker.start(List.of(all), PAGE);
        assertThat(calls.open).hasSize(2);
        write(memory, 3, 1);
        tracker.stop();
        assertThat(calls.open).isEmpty();
        write(memory, 4, 1);
        tracker.stop();

        tracker.start(List.of(all), PAGE);
        assertThat(collect(tracker, all)).isEmpty();
        write(memory, 5, 1);
        assertThat(collect(tracker, all)).containsExactly(range(memory, 5, 1));
        assertRefused(Problem.BUSY, () -> tracker.start(List.of(all), PAGE)).contains("it watches already");
    }

    @Test
    void shouldSayThatAnotherWatchesTheMemory() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        AddressRange all = range(memory, 0, COUNT);
        tracker.start(List.of(all), PAGE);
        try (UserfaultTracker second = new UserfaultTracker(calls)) {
            assertRefused(Problem.BUSY, () -> second.start(List.of(all), PAGE))
                    .isEqualTo("userfaultfd and PAGEMAP_SCAN: another userfaultfd watches " + all
                            + " already; stop that first: EBUSY (16)");
            assertThat(calls.open).hasSize(2);
        }
        write(memory, 7, 1);
        assertThat(collect(tracker, all)).as("the first one is undisturbed").containsExactly(range(memory, 7, 1));
    }

    @Test
    void shouldRefuseMemoryThatIsNotMapped() {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        AddressRange none = pages(1L << 32, 0, 4);
        assertThat(memory.address()).isNotEqualTo(none.start());

        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(range(memory, 0, 8), none), PAGE))
                .isEqualTo(
                        "userfaultfd and PAGEMAP_SCAN: 0x100000000-0x100003fff is not writable memory of this process "
                                + "that can be watched: EINVAL (22)");

        assertThat(calls.open).isEmpty();
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(none, new DirtyBitmap(arena, none, PAGE)));
    }

    @Test
    void shouldCallEverythingDirtyThatIsNotWatchedAnyMore() throws Exception {
        AddressRange range;
        try (Arena mapping = Arena.ofConfined()) {
            MemorySegment memory =
                    MappedMemory.map(LibC.system(), 16 * PAGE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, mapping);
            range = new AddressRange(memory.address(), 16 * PAGE);
            tracker.start(List.of(range), PAGE);
            calls.failing.put(Pagemap.PAGEMAP_SCAN, Errno.EPERM);
            assertThat(collectEverything(tracker, range))
                    .isEqualTo("userfaultfd and PAGEMAP_SCAN: PAGEMAP_SCAN for " + range
                            + " failed (EPERM (1)): everything in it counts as dirty");
            calls.failing.clear();
            assertThat(collect(tracker, range)).isEmpty();
        }
        tracker.stop();
    }

    @Test
    void shouldGoOnAfterASignal() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        tracker.start(List.of(range(memory, 0, COUNT)), PAGE);
        write(memory, 3, 2);
        calls.interruptions = 3;

        assertThat(collect(tracker, range(memory, 0, COUNT))).containsExactly(range(memory, 3, 2));
        assertThat(calls.interruptions).isZero();
    }

    /** As the kernel does with a part of a huge page. */
    @Test
    void shouldCallEverythingDirtyWhenTheScanStandsStill() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        AddressRange all = range(memory, 0, COUNT);
        tracker.start(List.of(all), PAGE);
        calls.standsStill = true;

        assertThat(collectEverything(tracker, all))
                .startsWith("userfaultfd and PAGEMAP_SCAN: PAGEMAP_SCAN does not get on at 0x"
                        + Long.toHexString(memory.address()));
    }

    @Test
    void shouldAskForNoPrivilegeWhereItHasNone() throws Exception {
        AddressRange all = range(memory(Kind.ANONYMOUS), 0, COUNT);
        calls.userfaultfdResults.add(Errno.EPERM.negated());

        tracker.start(List.of(all), PAGE);

        assertThat(calls.userfaultfdFlags)
                .containsExactly(LibC.O_CLOEXEC, LibC.O_CLOEXEC | Userfaultfd.UFFD_USER_MODE_ONLY);
    }

    @Test
    void shouldReportWithoutPrivilegeWhatTheKernelWrites() throws Exception {
        MemorySegment memory = memory(Kind.ANONYMOUS);
        AddressRange all = range(memory, 0, COUNT);
        calls.userfaultfdResults.add(Errno.EPERM.negated());
        tracker.start(List.of(all), PAGE);
        int file = LibC.system().memfdCreate("userfault-tracker-test", LibC.MFD_CLOEXEC);
        files.add(file);
        assertThat(LibC.system().ftruncate(file, PAGE)).isZero();

        assertThat(LibC.system().read(file, memory, 20 * PAGE, PAGE)).isEqualTo(PAGE);

        assertThat(collect(tracker, all)).containsExactly(range(memory, 20, 1));
    }

    @Test
    void shouldSayWhatIsMissingAndLeaveNothingOpen() {
        AddressRange all = range(memory(Kind.ANONYMOUS), 0, COUNT);
        calls.userfaultfdResults.addAll(List.of(Errno.EPERM.negated(), Errno.EPERM.negated()));
        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(all), PAGE))
                .contains("userfaultfd(2) is forbidden")
                .contains("allow it, or use another source of dirty pages")
                .endsWith("EPERM (1)");
        calls.userfaultfdResults.add(Errno.ENOSYS.negated());
        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(all), PAGE))
                .contains("userfaultfd(2) is not supported")
                .endsWith("ENOSYS (38)");
        calls.userfaultfdResults.add(Errno.EMFILE.negated());
        assertRefused(Problem.FAILED, () -> tracker.start(List.of(all), PAGE)).endsWith("EMFILE (24)");

        calls.pagemapResult = Errno.ENOENT.negated();
        assertRefused(Problem.FAILED, () -> tracker.start(List.of(all), PAGE))
                .contains("opening " + PagemapFd.PATH + " failed: ENOENT (2)");
        assertThat(calls.open).isEmpty();
        calls.pagemapResult = NO_RESULT;

        calls.failing.put(Userfaultfd.UFFDIO_API, Errno.EINVAL);
        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(all), PAGE))
                .contains("asynchronous write-protection is not there; it needs Linux 6.7: EINVAL (22)");
        assertThat(calls.open).isEmpty();
        calls.failing.clear();

        calls.failing.put(Userfaultfd.UFFDIO_WRITEPROTECT, Errno.ENOMEM);
        assertRefused(Problem.FAILED, () -> tracker.start(List.of(all), PAGE))
                .contains("write-protecting " + all + " failed: ENOMEM (12)");
        assertThat(calls.open).isEmpty();
    }

    @Test
    void shouldSayWhatItIs() {
        assertThat(tracker.capability().source()).isEqualTo("userfaultfd and PAGEMAP_SCAN");
        assertThat(tracker.capability().blindTo()).containsExactly(Writer.DEVICE);
        assertThat(tracker.capability().reportsTooMuch()).isFalse();
    }
}
