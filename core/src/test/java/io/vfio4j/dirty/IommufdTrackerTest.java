// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.assertRefused;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuHwInfo;
import io.vfio4j.ffm.iommufd.IommuHwptAlloc;
import io.vfio4j.ffm.iommufd.IommuHwptGetDirtyBitmap;
import io.vfio4j.ffm.iommufd.IommuHwptSetDirtyTracking;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.testing.ScriptedLibC;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class IommufdTrackerTest {
    private static final int FD = 5;
    private static final int HWPT = 42;
    private static final AddressRange ALL = pages(1L << 33, 0, 500);

    private final Arena arena = Arena.ofConfined();
    private final ScriptedLibC libc = new ScriptedLibC();
    private final IommuFd iommufd = new IommuFd(libc, FD);
    private final IommufdTracker tracker = new IommufdTracker(iommufd, HWPT);
    private final List<String> calls = new ArrayList<>();
    private final List<AddressRange> written = new ArrayList<>();
    private int setResult;
    private int getResult;

    @BeforeEach
    void script() {
        libc.script(FD, this::answer);
    }

    @AfterEach
    void close() {
        tracker.close();
        arena.close();
    }

    private int answer(long request, MemorySegment argument) {
        if (request == Iommufd.IOMMU_HWPT_SET_DIRTY_TRACKING) {
            assertThat(IommuHwptSetDirtyTracking.SIZE.get(argument)).isEqualTo(16);
            assertThat(argument.byteSize()).isEqualTo(16);
            assertThat(IommuHwptSetDirtyTracking.HWPT_ID.get(argument)).isEqualTo(HWPT);
            calls.add("set " + IommuHwptSetDirtyTracking.FLAGS.get(argument));
            return setResult;
        }
        assertThat(request).isEqualTo(Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP);
        assertThat(IommuHwptGetDirtyBitmap.SIZE.get(argument)).isEqualTo(48);
        assertThat(argument.byteSize()).isEqualTo(48);
        assertThat(IommuHwptGetDirtyBitmap.HWPT_ID.get(argument)).isEqualTo(HWPT);
        AddressRange range = new AddressRange(
                IommuHwptGetDirtyBitmap.IOVA.get(argument), IommuHwptGetDirtyBitmap.LENGTH.get(argument));
        long pageSize = IommuHwptGetDirtyBitmap.PAGE_SIZE.get(argument);
        int flags = IommuHwptGetDirtyBitmap.FLAGS.get(argument);
        calls.add("get " + flags + " " + range + " by " + pageSize);
        if (getResult < 0) {
            return getResult;
        }
        // The kernel refuses what is not made of its pages.
        if ((range.start() | range.length()) % pageSize != 0) {
            return Errno.EINVAL.negated();
        }
        for (AddressRange each : written) {
            Dirty.setBits(IommuHwptGetDirtyBitmap.DATA.get(argument), range, pageSize, each);
        }
        if (flags == 0) {
            written.removeIf(range::contains);
        }
        return 0;
    }

    @Test
    void shouldStartReportAndStop() throws Exception {
        assertThat(tracker.start(List.of(ALL), PAGE)).isEqualTo(PAGE);
        written.addAll(List.of(pages(1L << 33, 5, 1), pages(1L << 33, 100, 300)));

        assertThat(collect(tracker, ALL)).containsExactly(pages(1L << 33, 5, 1), pages(1L << 33, 100, 300));
        assertThat(collect(tracker, ALL)).isEmpty();
        tracker.stop();
        tracker.stop();

        String get = "get 0 0x200000000-0x2001f3fff by 4096";
        assertThat(calls).containsExactly("set 1", get, get, "set 0");
        assertThat(tracker.capability().source()).isEqualTo("iommufd dirty tracking of page table 42");
        assertThat(tracker.capability().sees()).containsExactly(Writer.DEVICE);
        assertThat(tracker.capability().reportsTooMuch()).isFalse();
    }

    @Test
    void shouldLeaveTheBitsBeforeAnUnmapForTheUnmap() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        written.add(pages(1L << 33, 5, 1));
        DirtyBitmap bitmap = new DirtyBitmap(arena, ALL, PAGE);

        assertThat(tracker.collectBeforeUnmap(ALL, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(1L << 33, 5, 1));
        assertThat(collect(tracker, ALL)).as("nothing was cleared").containsExactly(pages(1L << 33, 5, 1));
        assertThat(collect(tracker, ALL)).isEmpty();
        assertRefused(Problem.BAD_RANGE, () -> tracker.collectBeforeUnmap(pages(0, 0, 1), bitmap))
                .contains("bitmap");
        tracker.collect(pages(1L << 33, 8, 1), bitmap);
        assertThat(calls.getLast()).as("an error leaves no flag behind").startsWith("get 0 ");
        assertThat(calls.get(1)).isEqualTo("get 1 0x200000000-0x2001f3fff by 4096");
    }

    /** A large I/O page has one dirty bit, which a look at a part of it clears. */
    @Test
    void shouldAskForWholeRangesAndKeepWhatIsNotCollected() throws Exception {
        AddressRange other = pages(0, 0, 64);
        tracker.start(List.of(ALL, other), PAGE);
        written.addAll(List.of(pages(1L << 33, 5, 1), pages(1L << 33, 9, 2), pages(0, 1, 1)));

        assertThat(collect(tracker, pages(1L << 33, 4, 6)))
                .containsExactly(pages(1L << 33, 5, 1), pages(1L << 33, 9, 1));
        assertThat(calls).last().isEqualTo("get 0 0x200000000-0x2001f3fff by 4096");
        assertThat(collect(tracker, pages(1L << 33, 4, 6))).isEmpty();
        written.add(pages(1L << 33, 300, 1));
        assertThat(collect(tracker, ALL)).containsExactly(pages(1L << 33, 10, 1), pages(1L << 33, 300, 1));
        assertThat(collect(tracker, other)).containsExactly(pages(0, 1, 1));
        written.add(ALL);
        assertThat(collect(tracker, pages(1L << 33, 0, 1))).hasSize(1);
        tracker.stop();
        tracker.start(List.of(ALL), PAGE);
        assertThat(collect(tracker, ALL)).as("what an earlier watch has kept").isEmpty();
    }

    @Test
    void shouldKeepThatEverythingIsDirtyWhereOnlyAPartWasCollected() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        getResult = Errno.ENOENT.negated();
        assertThat(collectEverything(tracker, pages(1L << 33, 0, 100))).contains("ENOENT (2)");
        getResult = 0;
        assertThat(collect(tracker, ALL)).containsExactly(pages(1L << 33, 100, 400));
        assertThat(collect(tracker, ALL)).isEmpty();
    }

    @Test
    void shouldAskWhetherThereAreDirtyBitsWithoutTouchingThem() {
        assertThat(tracker.probe()).as("the kernel knows no such addresses").isZero();
        assertThat(calls).containsExactly("get 1 0x4000000000000000-0x7fffffffffffffff by 4611686018427387904");
        for (Errno error : new Errno[] {Errno.EOPNOTSUPP, Errno.ENOENT, Errno.EBADF}) {
            getResult = error.negated();
            assertThat(tracker.probe()).isEqualTo(error.negated());
        }
        getResult = Errno.EINVAL.negated();
        assertThat(tracker.probe()).isZero();
    }

    @Test
    void shouldAskByThePagesOfTheBitmapWhereTheyFit() throws Exception {
        tracker.start(List.of(pages(0, 0, 1), pages(0, 1, 31)), PAGE);
        written.addAll(List.of(pages(0, 0, 1), pages(0, 17, 1)));
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 32), 8 * PAGE);

        assertThat(tracker.collect(pages(0, 0, 32), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(0, 0, 8), pages(0, 16, 8));
        assertThat(calls).containsExactly("set 1", "get 0 0x0-0xfff by 4096", "get 0 0x1000-0x1ffff by 4096");

        tracker.stop();
        tracker.start(List.of(pages(0, 8, 24)), PAGE);
        written.add(pages(0, 31, 1));
        bitmap.clear();
        assertThat(tracker.collect(pages(0, 8, 24), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(0, 24, 8));
        assertThat(calls).last().isEqualTo("get 0 0x8000-0x1ffff by 32768");
    }

    @Test
    void shouldCallEverythingDirtyWhereTheKernelCannotTellButGoOn() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        getResult = Errno.ENOENT.negated();
        assertThat(collectEverything(tracker, ALL))
                .isEqualTo("iommufd dirty tracking of page table 42: IOMMU_HWPT_GET_DIRTY_BITMAP for " + ALL
                        + " failed (ENOENT (2)): everything in it counts as dirty");
        getResult = 0;
        assertThat(collect(tracker, ALL)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "ENOENT, FOREIGN, make one with dirty tracking and attach the device to it: ENOENT (2)",
        "EOPNOTSUPP, UNSUPPORTED, is not supported; use another source of dirty pages: EOPNOTSUPP (95)",
        "EBADF, FOREIGN, the fd is closed; open it again: EBADF (9)",
        "EINVAL, FAILED, enabling dirty tracking failed: EINVAL (22)",
    })
    void shouldSayWhyItCannotStart(Errno error, Problem problem, String message) throws Exception {
        setResult = error.negated();

        assertRefused(problem, () -> tracker.start(List.of(ALL), PAGE))
                .startsWith("iommufd dirty tracking of page table 42: ")
                .endsWith(message);

        tracker.stop();
        tracker.close();
        assertThat(calls).containsExactly("set 1");
    }

    @Test
    void shouldStopWhenClosedAndSayWhatFails() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        assertRefused(Problem.BUSY, () -> tracker.start(List.of(ALL), PAGE)).contains("it watches already");
        tracker.close();
        tracker.close();
        assertThat(calls).containsExactly("set 1", "set 0");
        tracker.start(List.of(ALL), PAGE);
        setResult = Errno.EBADF.negated();
        assertRefused(Problem.FAILED, tracker::stop).endsWith("stopping failed: EBADF (9)");
    }

    @Test
    void shouldSayThatTheRealKernelKnowsNoSuchFd() {
        IommuFd closed = new IommuFd(LibC.system(), 1 << 20);
        try (IommufdTracker none = new IommufdTracker(closed, 1)) {
            assertRefused(Problem.FOREIGN, () -> none.start(List.of(ALL), PAGE)).contains("EBADF (9)");
        }
        assertThat(IommufdTracker.isSupported(closed, 1)).isFalse();
        assertRefused(Problem.FAILED, () -> IommufdTracker.allocate(closed, 1, 2))
                .contains("making a page table failed: EBADF (9)");
    }

    @Test
    void shouldMakeAPageTableWithDirtyBits() throws Exception {
        libc.script(FD, (request, argument) -> {
            assertThat(request).isEqualTo(Iommufd.IOMMU_HWPT_ALLOC);
            assertThat(IommuHwptAlloc.SIZE.get(argument)).isEqualTo((int) argument.byteSize());
            assertThat(IommuHwptAlloc.FLAGS.get(argument)).isEqualTo(Iommufd.IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
            assertThat(IommuHwptAlloc.DEV_ID.get(argument)).isEqualTo(11);
            assertThat(IommuHwptAlloc.PT_ID.get(argument)).isEqualTo(22);
            IommuHwptAlloc.OUT_HWPT_ID.set(argument, 33);
            return 0;
        });

        assertThat(IommufdTracker.allocate(iommufd, 11, 22)).isEqualTo(33);
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"EOPNOTSUPP", "ENOENT", "ENOTTY"})
    void shouldSayThatThereAreNoDirtyBits(Errno error) {
        libc.script(FD, (request, argument) -> error.negated());

        assertRefused(Problem.UNSUPPORTED, () -> IommufdTracker.allocate(iommufd, 11, 22))
                .startsWith("iommufd dirty tracking of device 11: its IOMMU has no dirty bits, or it has no IOMMU; use "
                        + "another source of dirty pages: ");
        assertThat(IommufdTracker.isSupported(iommufd, 11)).isFalse();
    }

    @Test
    void shouldAskTheIommuWhetherItHasDirtyBits() {
        long[] capabilities = {0};
        libc.script(FD, (request, argument) -> {
            assertThat(request).isEqualTo(Iommufd.IOMMU_GET_HW_INFO);
            assertThat(IommuHwInfo.SIZE.get(argument)).isEqualTo((int) argument.byteSize());
            assertThat(IommuHwInfo.DEV_ID.get(argument)).isEqualTo(11);
            assertThat(IommuHwInfo.DATA_LEN.get(argument)).isZero();
            IommuHwInfo.OUT_CAPABILITIES.set(argument, capabilities[0]);
            return 0;
        });

        assertThat(IommufdTracker.isSupported(iommufd, 11)).isFalse();
        capabilities[0] = 6 | Iommufd.IOMMU_HW_CAP_DIRTY_TRACKING;
        assertThat(IommufdTracker.isSupported(iommufd, 11)).isTrue();
    }
}
