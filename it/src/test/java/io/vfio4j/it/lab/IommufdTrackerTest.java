// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static io.vfio4j.testing.DirtyPages.MEBIBYTE;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.assertRefused;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.dirty.IommufdTracker;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The dirty bits of I/O page tables, by the kernel's mock IOMMU behind its real iommufd. */
@Tag("lab")
@ExtendWith(LeakCheck.class)
class IommufdTrackerTest {
    private static final long BASE = MockIommu.APERTURE;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofConfined();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @AfterEach
    void takeAway() throws Exception {
        for (AutoCloseable each : opened) {
            each.close();
        }
        arena.close();
    }

    private MockIommu open() {
        MockIommu iommu = new MockIommu();
        opened.push(iommu);
        return iommu;
    }

    /** Makes a page table with dirty bits and attaches a device to it. */
    private static int pageTable(MockIommu iommu) throws IOException {
        MockIommu.Device device = iommu.attach(0);
        int hwptId = IommufdTracker.allocate(iommu.iommufd(), device.deviceId(), iommu.ioasId());
        iommu.replace(device, hwptId);
        return hwptId;
    }

    private IommufdTracker track(MockIommu iommu, int hwptId) {
        IommufdTracker tracker = new IommufdTracker(iommu.iommufd(), hwptId);
        opened.push(tracker);
        return tracker;
    }

    /** Has a device dirty some bytes, in the mock's own pages. */
    private static int dirty(MockIommu iommu, int hwptId, AddressRange... written) {
        try (Arena call = Arena.ofConfined()) {
            DirtyBitmap bits = new DirtyBitmap(call, new AddressRange(BASE, 64 * MEBIBYTE), MockIommu.PAGE);
            for (AddressRange each : written) {
                bits.mark(each);
            }
            return iommu.dirty(hwptId, bits);
        }
    }

    // ---- what is reported ----

    @Test
    void shouldReportExactlyTheDirtyPagesAndForgetThem() throws Exception {
        MockIommu iommu = open().withoutLargePages();
        AddressRange mapped = pages(BASE, 0, 256);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        assertThat(tracker.start(List.of(mapped), PAGE)).isEqualTo(PAGE);

        AddressRange halfAPage = new AddressRange(BASE + 3 * PAGE + MockIommu.PAGE, MockIommu.PAGE);
        assertThat(dirty(iommu, hwptId, halfAPage, pages(BASE, 60, 70), pages(BASE, 255, 1)))
                .isZero();

        assertThat(collect(tracker, mapped))
                .containsExactly(pages(BASE, 3, 1), pages(BASE, 60, 70), pages(BASE, 255, 1));
        assertThat(collect(tracker, mapped)).isEmpty();
        assertThat(dirty(iommu, hwptId, pages(BASE, 3, 1))).isZero();
        assertThat(collect(tracker, mapped)).containsExactly(pages(BASE, 3, 1));
    }

    @Test
    void shouldCallAllPagesCleanAtTheStart() throws Exception {
        MockIommu iommu = open().withoutLargePages();
        AddressRange mapped = pages(BASE, 0, 64);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        // Until it is started, nothing watches.
        assertThat(dirty(iommu, hwptId, pages(BASE, 1, 1))).isEqualTo(Errno.EINVAL.negated());
        tracker.start(List.of(mapped), PAGE);
        assertThat(dirty(iommu, hwptId, pages(BASE, 2, 1))).isZero();
        tracker.stop();
        assertThat(dirty(iommu, hwptId, pages(BASE, 3, 1))).isEqualTo(Errno.EINVAL.negated());

        tracker.start(List.of(mapped), PAGE);
        assertThat(collect(tracker, mapped)).isEmpty();
        assertThat(dirty(iommu, hwptId, pages(BASE, 4, 1))).isZero();
        assertThat(collect(tracker, mapped)).containsExactly(pages(BASE, 4, 1));
        tracker.close();
        assertThat(dirty(iommu, hwptId, pages(BASE, 5, 1))).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldCollectPartsAndLeaveTheBitsThatAreSet() throws Exception {
        MockIommu iommu = open().withoutLargePages();
        AddressRange mapped = pages(BASE, 0, 128);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        tracker.start(List.of(pages(BASE, 0, 40), pages(BASE, 40, 88)), PAGE);
        assertThat(dirty(iommu, hwptId, pages(BASE, 2, 2), pages(BASE, 12, 2), pages(BASE, 39, 2)))
                .isZero();
        DirtyBitmap bitmap = new DirtyBitmap(arena, mapped, PAGE);
        bitmap.mark(pages(BASE, 100, 1));

        assertThat(tracker.collect(pages(BASE, 3, 10), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 3, 1), pages(BASE, 12, 1), pages(BASE, 100, 1));
        bitmap.clear(pages(BASE, 0, 64));
        assertThat(tracker.collect(mapped, bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap))
                .containsExactly(pages(BASE, 2, 1), pages(BASE, 13, 1), pages(BASE, 39, 2), pages(BASE, 100, 1));
    }

    @Test
    void shouldReportByTheLargerPagesOfTheBitmap() throws Exception {
        MockIommu iommu = open().withoutLargePages();
        AddressRange mapped = new AddressRange(BASE, 16 * MEBIBYTE);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        // Two ranges that meet within a page of the bitmap.
        tracker.start(List.of(pages(BASE, 0, 1), new AddressRange(BASE + PAGE, mapped.length() - PAGE)), PAGE);
        assertThat(dirty(iommu, hwptId, pages(BASE, 512, 1), pages(BASE, 4095, 1)))
                .isZero();
        DirtyBitmap bitmap = new DirtyBitmap(arena, mapped, 2 * MEBIBYTE);

        assertThat(tracker.collect(mapped, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap))
                .containsExactly(
                        new AddressRange(BASE + 2 * MEBIBYTE, 2 * MEBIBYTE),
                        new AddressRange(BASE + 14 * MEBIBYTE, 2 * MEBIBYTE));
    }

    @Test
    void shouldForgetNothingWhenItCollectsBeforeAnUnmap() throws Exception {
        MockIommu iommu = open().withoutLargePages();
        AddressRange mapped = pages(BASE, 0, 64);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        tracker.start(List.of(mapped), PAGE);
        assertThat(dirty(iommu, hwptId, pages(BASE, 5, 3))).isZero();

        for (int i = 0; i < 2; i++) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, mapped, PAGE);
            assertThat(tracker.collectBeforeUnmap(mapped, bitmap)).isEqualTo(Collected.REPORTED);
            assertThat(runs(bitmap)).containsExactly(pages(BASE, 5, 3));
        }
        assertThat(collect(tracker, mapped)).containsExactly(pages(BASE, 5, 3));
        assertThat(collect(tracker, mapped)).isEmpty();

        // What is unmapped takes its bits with it.
        assertThat(dirty(iommu, hwptId, pages(BASE, 5, 3))).isZero();
        iommu.unmap(BASE, mapped.length());
        iommu.map(BASE, mapped.length());
        assertThat(collect(tracker, mapped)).isEmpty();
    }

    /** The kernel ends its look at the first hole, with a result of 0: so each mapping must be a range for itself. */
    @Test
    void shouldSeeBehindAHoleWhenEachMappingIsARangeForItself() throws Exception {
        MockIommu iommu = open().withoutLargePages();
        iommu.map(BASE, 4 * PAGE);
        iommu.map(BASE + 4 * PAGE, 4 * PAGE);
        iommu.map(BASE + 16 * PAGE, 4 * PAGE);
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        AddressRange all = pages(BASE, 0, 20);
        AddressRange[] written = {pages(BASE, 1, 1), pages(BASE, 5, 1), pages(BASE, 17, 1)};
        tracker.start(List.of(all), PAGE);
        assertThat(dirty(iommu, hwptId, written)).isZero();
        assertThat(collect(tracker, all)).containsExactly(written[0], written[1]);
        tracker.stop();

        tracker.start(List.of(pages(BASE, 0, 8), pages(BASE, 16, 4)), PAGE);
        assertThat(dirty(iommu, hwptId, written)).isZero();
        assertThat(collect(tracker, pages(BASE, 0, 8))).containsExactly(written[0], written[1]);
        assertThat(collect(tracker, pages(BASE, 16, 4))).containsExactly(written[2]);
    }

    @Test
    void shouldLoseNothingOfLargePagesWhenPartsAreCollected() throws Exception {
        MockIommu iommu = open();
        AddressRange mapped = pages(BASE, 0, 1024);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        IommufdTracker tracker = track(iommu, hwptId);
        tracker.start(List.of(mapped), PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, mapped, PAGE);
        for (int round = 0; round < 2; round++) {
            // However large the I/O pages are that the mapping got, each of them is dirty at its first look.
            assertThat(dirty(iommu, hwptId, mapped)).isZero();
            bitmap.clear();
            for (long page = 0; page < 1023; page += 3) {
                AddressRange part = pages(BASE, page, 3);
                assertThat(tracker.collect(part, bitmap)).isEqualTo(Collected.REPORTED);
                assertThat(bitmap.dirtyPages()).as("pages up to " + part).isEqualTo(page + 3);
            }
            // What is left is kept for a collection of the whole, too, and is reported once.
            assertThat(collect(tracker, mapped)).containsExactly(pages(BASE, 1023, 1));
            assertThat(collect(tracker, mapped)).isEmpty();
        }
        assertThat(dirty(iommu, hwptId, mapped)).isZero();
        assertThat(collect(tracker, pages(BASE, 0, 1))).containsExactly(pages(BASE, 0, 1));
        tracker.stop();
        tracker.start(List.of(mapped), PAGE);
        assertThat(collect(tracker, mapped)).isEmpty();
    }

    // ---- bad input ----

    @Test
    void shouldSayThatADeviceHasNoDirtyBits() throws Exception {
        MockIommu iommu = open();
        MockIommu.Device with = iommu.attach(0);
        MockIommu.Device without = iommu.attach(MockIommu.NO_DIRTY);

        assertThat(IommufdTracker.isSupported(iommu.iommufd(), with.deviceId())).isTrue();
        assertThat(IommufdTracker.isSupported(iommu.iommufd(), without.deviceId()))
                .isFalse();
        assertRefused(
                        Problem.UNSUPPORTED,
                        () -> IommufdTracker.allocate(iommu.iommufd(), without.deviceId(), iommu.ioasId()))
                .hasMessageContaining("device " + without.deviceId())
                .hasMessageContaining("use another source of dirty pages")
                .hasMessageContaining("EOPNOTSUPP (95)");
    }

    @Test
    void shouldSayThatAnEmulatedDeviceHasNoIommu() throws Exception {
        DmaDevice device = new DmaDevice("vfio4j_testdev-full", Way.CDEV);
        opened.push(device);

        assertThat(IommufdTracker.isSupported(device.iommufd(), device.deviceId()))
                .isFalse();
        assertRefused(
                        Problem.UNSUPPORTED,
                        () -> IommufdTracker.allocate(device.iommufd(), device.deviceId(), device.ioasId()))
                .hasMessageContaining("it has no IOMMU")
                .hasMessageContaining("ENOENT (2)");
        IommufdTracker tracker = new IommufdTracker(device.iommufd(), device.ioasId());
        assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(pages(BASE, 0, 1)), PAGE))
                .hasMessageContaining("there is no such page table")
                .hasMessageContaining("make one with dirty tracking")
                .hasMessageContaining("ENOENT (2)");
    }

    @Test
    void shouldSayThatThePageTableHasNoDirtyBits() throws Exception {
        MockIommu iommu = open();
        // The one that attaching to an I/O address space makes.
        IommufdTracker tracker = track(iommu, iommu.attach(0).hwptId());

        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(pages(BASE, 0, 1)), PAGE))
                .hasMessageContaining("enabling dirty tracking is not supported")
                .hasMessageContaining("EOPNOTSUPP (95)");
        assertRefused(
                Problem.NOT_STARTED,
                () -> tracker.collect(pages(BASE, 0, 1), new DirtyBitmap(arena, pages(BASE, 0, 1), PAGE)));
    }

    @Test
    void shouldSayThatThePageTableIsUnknownOrAnotherIommufds() throws Exception {
        MockIommu iommu = open();
        MockIommu other = open();
        int foreign = pageTable(other);
        int addressSpace = iommu.ioasId();

        for (int id : new int[] {foreign, addressSpace, 12345}) {
            IommufdTracker tracker = track(iommu, id);
            assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(pages(BASE, 0, 1)), PAGE))
                    .hasMessageContaining("iommufd dirty tracking of page table " + id)
                    .hasMessageContaining("there is no such page table")
                    .hasMessageContaining("ENOENT (2)");
        }
    }

    @Test
    void shouldCallEverythingDirtyWhenThePageTableIsGone() throws Exception {
        MockIommu iommu = open();
        AddressRange mapped = pages(BASE, 0, 64);
        iommu.map(BASE, mapped.length());
        MockIommu.Device device = iommu.attach(0);
        int hwptId = IommufdTracker.allocate(iommu.iommufd(), device.deviceId(), iommu.ioasId());
        IommufdTracker tracker = track(iommu, hwptId);
        tracker.start(List.of(mapped), PAGE);
        iommu.destroy(hwptId);

        assertThat(collectEverything(tracker, mapped))
                .isEqualTo("iommufd dirty tracking of page table " + hwptId + ": IOMMU_HWPT_GET_DIRTY_BITMAP for "
                        + mapped + " failed (ENOENT (2)): everything in it counts as dirty");
        assertThat(collectEverything(tracker, pages(BASE, 3, 10))).contains("ENOENT (2)");
        assertThatThrownBy(tracker::stop)
                .isInstanceOf(DirtyTrackingException.class)
                .hasMessageContaining("stopping failed: ENOENT (2)");
    }

    @Test
    void shouldSayThatTheFdIsClosedOrNoIommufd() throws Exception {
        MockIommu iommu = open();
        AddressRange mapped = pages(BASE, 0, 64);
        iommu.map(BASE, mapped.length());
        int hwptId = pageTable(iommu);
        int fd = libc.dup(iommu.iommufd().fd());
        IommuFd duplicate = new IommuFd(libc, fd);
        IommufdTracker tracker = new IommufdTracker(duplicate, hwptId);
        tracker.start(List.of(mapped), PAGE);
        libc.close(fd);

        assertThat(collectEverything(tracker, mapped)).contains("EBADF (9)");
        assertThatThrownBy(tracker::stop).hasMessageContaining("EBADF (9)");
        assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(mapped), PAGE))
                .hasMessageContaining("the fd is closed; open it again")
                .hasMessageContaining("EBADF (9)");
        assertThat(IommufdTracker.isSupported(duplicate, 1)).isFalse();

        int eventfd = libc.eventfd(0, LibC.EFD_CLOEXEC);
        opened.push(() -> libc.close(eventfd));
        IommufdTracker foreign = new IommufdTracker(new IommuFd(libc, eventfd), hwptId);
        assertRefused(Problem.UNSUPPORTED, () -> foreign.start(List.of(mapped), PAGE))
                .hasMessageContaining("use another source")
                .hasMessageContaining("ENOTTY (25)");
    }
}
