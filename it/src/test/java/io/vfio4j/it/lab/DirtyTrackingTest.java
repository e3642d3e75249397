// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.assertRefused;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.DirtyTracking;
import io.vfio4j.dirty.DirtyTracking.Device;
import io.vfio4j.dirty.DirtyTracking.Mapping;
import io.vfio4j.dirty.DirtyTracking.Selection;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.dirty.EverythingTracker;
import io.vfio4j.dirty.IommufdTracker;
import io.vfio4j.dirty.Type1Tracker;
import io.vfio4j.dirty.UnionTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Which source of dirty pages is chosen for real devices, and why. */
@Tag("lab")
@ExtendWith(LeakCheck.class)
class DirtyTrackingTest {
    private static final long BASE = MockIommu.APERTURE;
    private static final AddressRange RANGE = pages(BASE, 0, 64);
    private static final String EVERYTHING = "so everything counts as dirty, each time";

    private final LibC libc = LibC.system();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @AfterEach
    void takeAway() throws Exception {
        for (AutoCloseable each : opened) {
            each.close();
        }
    }

    private DmaDevice open(Way way) throws IOException {
        DmaDevice device = new DmaDevice("vfio4j_testdev-full", way);
        opened.push(device);
        device.map(BASE, RANGE.length());
        return device;
    }

    /** A device that has no log of its own, as far as anyone can tell. */
    private Device without(String name) {
        int fd = libc.eventfd(0, LibC.EFD_CLOEXEC);
        opened.push(() -> libc.close(fd));
        return new Device(name, new DeviceFd(libc, fd));
    }

    private DirtyTracker startedBy(Selection selection) throws IOException {
        DirtyTracker tracker = selection.tracker();
        opened.push(tracker);
        tracker.start(List.of(RANGE), PAGE);
        return tracker;
    }

    private static void assertEverything(Selection selection, String... reasons) throws IOException {
        assertThat(selection.tracker()).isInstanceOf(EverythingTracker.class);
        assertThat(selection.reasons())
                .containsExactly(
                        Stream.concat(Stream.of(reasons), Stream.of(EVERYTHING)).toArray(String[]::new));
        try (DirtyTracker tracker = selection.tracker()) {
            tracker.start(List.of(RANGE), PAGE);
            assertThat(collectEverything(tracker, RANGE)).contains("nothing watches this memory");
        }
    }

    @Test
    void shouldTakeTheLogsOfTheDevicesWhenEachHasOne() throws Exception {
        DmaDevice one = open(Way.CDEV);
        DmaDevice two = open(Way.GROUP);

        Selection selection = DirtyTracking.select(
                List.of(new Device("one", one.fd()), new Device("two", two.fd())),
                new Mapping.Type1(two.container(), "of two"));

        assertThat(selection.reasons()).containsExactly("each device logs its own DMA");
        assertThat(selection.tracker()).isInstanceOf(UnionTracker.class);
        assertThat(selection.tracker().capability().source())
                .isEqualTo("device DMA logging of one and device DMA logging of two");
        assertThat(selection.tracker().capability().sees()).containsExactly(Writer.DEVICE);
        DirtyTracker tracker = startedBy(selection);
        one.write(BASE + PAGE, 1, 1);
        two.write(BASE + 2 * PAGE, PAGE, 1);
        assertThat(collect(tracker, RANGE)).containsExactly(pages(BASE, 1, 2));
        two.write(BASE + 2 * PAGE, 1, 1);
        assertThat(collect(tracker, RANGE)).containsExactly(pages(BASE, 2, 1));
        tracker.stop();
        assertThat(one.mdev().log()).contains("log_stop");
        assertThat(two.mdev().log()).contains("log_stop");
    }

    @Test
    void shouldLeaveNoLogRunningWhenOneOfThemDoesNotStart() throws Exception {
        DmaDevice one = open(Way.CDEV);
        DmaDevice two = open(Way.CDEV);
        List<Device> devices = List.of(new Device("one", one.fd()), new Device("two", two.fd()));
        DirtyTracker holder = startedBy(DirtyTracking.select(devices.subList(1, 2), new Mapping.Unknown()));
        DirtyTracker tracker =
                DirtyTracking.select(devices, new Mapping.Unknown()).tracker();

        assertRefused(Problem.BUSY, () -> tracker.start(List.of(RANGE), PAGE))
                .hasMessageContaining("device DMA logging of two");

        assertThat(one.mdev().log()).contains("log_start 1", "log_stop");
        two.write(BASE, 1, 1);
        assertThat(collect(holder, RANGE)).containsExactly(pages(BASE, 0, 1));
    }

    @Test
    void shouldSayWhichDeviceCouldNotReport() throws Exception {
        DmaDevice one = open(Way.CDEV);
        DmaDevice two = open(Way.CDEV);
        DirtyTracker tracker = startedBy(DirtyTracking.select(
                List.of(new Device("one", one.fd()), new Device("two", two.fd())), new Mapping.Unknown()));
        assertThat(two.feature(Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP))
                .isZero();

        assertThat(collectEverything(tracker, RANGE))
                .contains("device DMA logging of two")
                .contains("EINVAL (22)")
                .doesNotContain("of one");
    }

    @Test
    void shouldTakeTheContainerWhenADeviceHasNoLog() throws Exception {
        DmaDevice device = open(Way.GROUP);

        Selection selection = DirtyTracking.select(
                List.of(new Device("one", device.fd()), without("two"), without("three")),
                new Mapping.Type1(device.container(), "7"));

        assertThat(selection.tracker()).isInstanceOf(Type1Tracker.class);
        assertThat(selection.reasons())
                .containsExactly(
                        "no DMA logging in two, three", "container 7 tells which pages could have been written");
        DirtyTracker tracker = startedBy(selection);
        device.write(BASE + 3 * PAGE, 1, 1);
        assertThat(collect(tracker, RANGE)).containsExactly(pages(BASE, 3, 1));
    }

    @Test
    void shouldTakeThePageTableWhenThereIsNoDeviceToLog() throws Exception {
        MockIommu iommu = new MockIommu().withoutLargePages();
        opened.push(iommu);
        iommu.map(BASE, RANGE.length());
        MockIommu.Device mock = iommu.attach(0);
        int hwptId = IommufdTracker.allocate(iommu.iommufd(), mock.deviceId(), iommu.ioasId());
        iommu.replace(mock, hwptId);
        Mapping mapping = new Mapping.PageTable(iommu.iommufd(), hwptId);

        Selection selection = DirtyTracking.select(List.of(), mapping);

        assertThat(selection.tracker()).isInstanceOf(IommufdTracker.class);
        assertThat(selection.reasons())
                .containsExactly("there is no device to log its own DMA", "page table " + hwptId + " has dirty bits");
        DirtyTracker tracker = startedBy(selection);
        // Whoever asks meanwhile, for a device or for none, does not end it.
        assertThat(DirtyTracking.select(List.of(without("two")), mapping).reasons())
                .containsExactly("no DMA logging in two", "page table " + hwptId + " has dirty bits");
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap dirty = new DirtyBitmap(arena, RANGE, MockIommu.PAGE);
            dirty.mark(pages(BASE, 9, 2));
            assertThat(iommu.dirty(hwptId, dirty)).isZero();
        }
        assertThat(collect(tracker, RANGE)).containsExactly(pages(BASE, 9, 2));
    }

    @Test
    void shouldCallEverythingDirtyWhenNothingCanTell() throws Exception {
        MockIommu iommu = new MockIommu().withoutLargePages();
        opened.push(iommu);
        int hwptId = iommu.attach(0).hwptId();
        ContainerFd noContainer = new ContainerFd(libc, iommu.iommufd().fd());

        assertEverything(
                DirtyTracking.select(List.of(), new Mapping.Unknown()),
                "there is no device to log its own DMA",
                "nothing that maps memory could tell");
        assertEverything(
                DirtyTracking.select(List.of(without("one")), new Mapping.PageTable(iommu.iommufd(), hwptId)),
                "no DMA logging in one",
                "page table " + hwptId + " has no dirty bits (EOPNOTSUPP (95))");
        assertEverything(
                DirtyTracking.select(List.of(), new Mapping.PageTable(iommu.iommufd(), iommu.ioasId())),
                "there is no device to log its own DMA",
                "page table " + iommu.ioasId() + " has no dirty bits (ENOENT (2))");
        assertEverything(
                DirtyTracking.select(List.of(without("one")), new Mapping.Type1(noContainer, "7")),
                "no DMA logging in one",
                "container 7 does not track dirty pages");
    }

    /** A tracker of everything is no failure of a collection, yet it is said each time. */
    @Test
    void shouldSayInAUnionThatEverythingIsDirty() throws Exception {
        DmaDevice device = open(Way.CDEV);
        DirtyTracker logs = DirtyTracking.select(List.of(new Device("one", device.fd())), new Mapping.Unknown())
                .tracker();
        UnionTracker union = new UnionTracker(List.of(logs, new EverythingTracker()));
        opened.push(union);
        union.start(List.of(RANGE), PAGE);

        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, RANGE, PAGE);
            Collected collected = union.collect(RANGE, bitmap);
            assertThat(collected.reported()).isFalse();
            assertThat(bitmap.dirtyPages()).isEqualTo(RANGE.length() / PAGE);
        }
    }
}
