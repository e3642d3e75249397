// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

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
import io.vfio4j.dirty.Type1Tracker;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioBitmap;
import io.vfio4j.ffm.vfio.VfioIommuType1DirtyBitmap;
import io.vfio4j.ffm.vfio.VfioIommuType1DirtyBitmapGet;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The dirty pages of a container. The lab's devices pin nothing and write through the kernel ({@code vfio_dma_rw}),
 * which the container sees: exactly the written pages are reported.
 */
@Tag("lab")
@ExtendWith(LeakCheck.class)
class Type1TrackerTest {
    private static final long BASE = 1L << 32;

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

    private DmaDevice open(String type) throws IOException {
        DmaDevice device = new DmaDevice(type, Way.GROUP);
        opened.push(device);
        Assumptions.assumeTrue(
                Type1Tracker.isSupported(device.container()),
                "type1 dirty pages: the container has no VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION here");
        return device;
    }

    private DmaDevice open() throws IOException {
        return open("vfio4j_testdev-full");
    }

    private Type1Tracker track(ContainerFd container) {
        Type1Tracker tracker = new Type1Tracker(container, "of the lab");
        opened.push(tracker);
        return tracker;
    }

    private int keep(int fd) {
        opened.push(() -> libc.close(fd));
        return fd;
    }

    @Test
    void shouldReportExactlyWhatWasWrittenThroughTheKernelAndForgetIt() throws Exception {
        DmaDevice device = open();
        AddressRange mapped = pages(BASE, 0, 256);
        device.map(BASE, mapped.length());
        Type1Tracker tracker = track(device.container());
        device.write(BASE, PAGE, 1);

        // The size of its pages is the IOMMU's smallest, whatever is asked for.
        assertThat(tracker.start(List.of(mapped), 16 * PAGE)).isEqualTo(PAGE);
        assertThat(collect(tracker, mapped)).isEmpty();
        device.write(BASE + 3 * PAGE + 17, 1, 1);
        device.write(BASE + 60 * PAGE, 70 * PAGE, 1);
        device.write(BASE + 256 * PAGE - 1, 1, 1);

        assertThat(collect(tracker, mapped))
                .containsExactly(pages(BASE, 3, 1), pages(BASE, 60, 70), pages(BASE, 255, 1));
        assertThat(collect(tracker, mapped)).isEmpty();
    }

    @Test
    void shouldReportNothingOfADeviceThatNeitherPinsNorWrites() throws Exception {
        DmaDevice device = open("mtty-2");
        AddressRange mapped = pages(BASE, 0, 32);
        device.map(BASE, mapped.length());
        Type1Tracker tracker = track(device.container());

        tracker.start(List.of(mapped), PAGE);

        assertThat(collect(tracker, mapped)).isEmpty();
    }

    @Test
    void shouldCollectSeveralMappingsAndLeaveTheBitsThatAreSet() throws Exception {
        DmaDevice device = open();
        AddressRange all = pages(BASE, 0, 128);
        // Two that touch, off the bitmap's words, and one for itself.
        device.map(BASE + 3 * PAGE, 7 * PAGE);
        device.map(BASE + 10 * PAGE, 60 * PAGE);
        device.map(BASE + 100 * PAGE, 5 * PAGE);
        Type1Tracker tracker = track(device.container());
        tracker.start(List.of(pages(BASE, 100, 5), pages(BASE, 3, 67)), PAGE);
        for (long page : new long[] {3, 9, 10, 69, 104}) {
            device.write(BASE + page * PAGE, 1, 1);
        }
        DirtyBitmap bitmap = new DirtyBitmap(arena, all, PAGE);
        bitmap.mark(pages(BASE, 0, 1));
        bitmap.mark(pages(BASE, 4, 1));
        bitmap.mark(pages(BASE, 127, 1));

        assertThat(tracker.collect(pages(BASE, 3, 67), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(tracker.collect(pages(BASE, 100, 5), bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap))
                .containsExactly(
                        pages(BASE, 0, 1),
                        pages(BASE, 3, 2),
                        pages(BASE, 9, 2),
                        pages(BASE, 69, 1),
                        pages(BASE, 104, 1),
                        pages(BASE, 127, 1));
    }

    @Test
    void shouldReportByTheLargerPagesOfTheBitmap() throws Exception {
        DmaDevice device = open();
        AddressRange mapped = pages(BASE, 0, 256);
        device.map(BASE, mapped.length());
        Type1Tracker tracker = track(device.container());
        tracker.start(List.of(mapped), PAGE);
        device.write(BASE + 70 * PAGE, 1, 1);
        DirtyBitmap bitmap = new DirtyBitmap(arena, mapped, 64 * PAGE);

        assertThat(tracker.collect(mapped, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(BASE, 64, 64));
    }

    @Test
    void shouldWatchWhatIsMappedAfterTheStart() throws Exception {
        DmaDevice device = open();
        device.map(BASE, 8 * PAGE);
        Type1Tracker tracker = track(device.container());
        tracker.start(List.of(pages(BASE, 0, 64)), PAGE);
        device.map(BASE + 16 * PAGE, 8 * PAGE);

        device.write(BASE + PAGE, 1, 1);
        device.write(BASE + 17 * PAGE, 1, 1);

        // What lies between the mappings is clean.
        assertThat(collect(tracker, pages(BASE, 0, 64))).containsExactly(pages(BASE, 1, 1), pages(BASE, 17, 1));
    }

    @Test
    void shouldReportWhatItUnmaps() throws Exception {
        DmaDevice device = open();
        device.map(BASE, 8 * PAGE);
        device.map(BASE + 8 * PAGE, 100 * PAGE);
        Type1Tracker tracker = track(device.container());
        assertRefused(
                Problem.NOT_STARTED,
                () -> tracker.unmap(pages(BASE, 0, 8), new DirtyBitmap(arena, pages(BASE, 0, 8), PAGE)));
        AddressRange all = pages(BASE, 0, 108);
        tracker.start(List.of(all), PAGE);
        device.write(BASE + 5 * PAGE, 1, 1);
        device.write(BASE + 90 * PAGE, 1, 1);
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(BASE, 0, 256), PAGE);
        bitmap.mark(pages(BASE, 200, 1));

        assertRefused(Problem.FAILED, () -> tracker.unmap(pages(BASE, 0, 50), bitmap))
                .hasMessageContaining("name whole mappings")
                .hasMessageContaining("EINVAL (22)");
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 200, 1));
        tracker.unmap(all, bitmap);

        assertThat(runs(bitmap)).containsExactly(pages(BASE, 5, 1), pages(BASE, 90, 1), pages(BASE, 200, 1));
        assertThatThrownBy(() -> device.write(BASE + 5 * PAGE, 1, 1)).isInstanceOf(IOException.class);
        device.map(BASE, 8 * PAGE);
        assertThat(collect(tracker, all)).isEmpty();
    }

    // ---- bad input ----

    @Test
    void shouldRefuseToCollectBeforeItIsStarted() throws Exception {
        DmaDevice device = open();
        AddressRange mapped = pages(BASE, 0, 16);
        device.map(BASE, mapped.length());
        Type1Tracker tracker = track(device.container());
        DirtyBitmap bitmap = new DirtyBitmap(arena, mapped, PAGE);

        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(mapped, bitmap))
                .hasMessageContaining("type1 dirty pages of container of the lab")
                .hasMessageContaining("start it first");
        // So does the kernel itself.
        assertThat(getRaw(device, bitmap)).isEqualTo(Errno.EINVAL.negated());
        tracker.start(List.of(mapped), PAGE);
        assertThat(getRaw(device, bitmap)).isZero();
        tracker.stop();
        assertThat(getRaw(device, bitmap)).isEqualTo(Errno.EINVAL.negated());
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(mapped, bitmap));
    }

    private int getRaw(DmaDevice device, DirtyBitmap bitmap) {
        MemorySegment get = arena.allocate(
                VfioIommuType1DirtyBitmap.STRUCT.size() + VfioIommuType1DirtyBitmapGet.STRUCT.size(), Long.BYTES);
        VfioIommuType1DirtyBitmap.ARGSZ.set(get, (int) get.byteSize());
        VfioIommuType1DirtyBitmap.FLAGS.set(get, Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
        MemorySegment range = VfioIommuType1DirtyBitmap.DATA.of(get);
        VfioIommuType1DirtyBitmapGet.IOVA.set(range, bitmap.range().start());
        VfioIommuType1DirtyBitmapGet.SIZE.set(range, bitmap.range().length());
        MemorySegment to = VfioIommuType1DirtyBitmapGet.BITMAP.of(range);
        VfioBitmap.PGSIZE.set(to, bitmap.pageSize());
        VfioBitmap.SIZE.set(to, bitmap.memory().byteSize());
        VfioBitmap.DATA.set(to, bitmap.memory().address());
        return device.container().dirtyPages(get);
    }

    @Test
    void shouldCallEverythingDirtyWhenTheRangeCutsAMapping() throws Exception {
        DmaDevice device = open();
        AddressRange mapped = pages(BASE, 0, 64);
        device.map(BASE, mapped.length());
        Type1Tracker tracker = track(device.container());
        tracker.start(List.of(mapped), PAGE);
        device.write(BASE + 3 * PAGE, 1, 1);

        assertThat(collectEverything(tracker, pages(BASE, 0, 32)))
                .isEqualTo("type1 dirty pages of container of the lab: VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP for "
                        + pages(BASE, 0, 32) + " failed (EINVAL (22)): everything in it counts as dirty");
        assertThat(collectEverything(tracker, pages(BASE, 32, 32))).contains("EINVAL (22)");

        assertThat(collect(tracker, mapped)).containsExactly(pages(BASE, 3, 1));
    }

    @Test
    void shouldCallEverythingDirtyWhenSomebodyElseStopsIt() throws Exception {
        DmaDevice device = open();
        AddressRange mapped = pages(BASE, 0, 64);
        device.map(BASE, mapped.length());
        Type1Tracker tracker = track(device.container());
        Type1Tracker other = track(device.container());
        tracker.start(List.of(mapped), PAGE);
        // The kernel lets two start, and one stop for both.
        other.start(List.of(mapped), PAGE);
        other.stop();

        assertThat(collectEverything(tracker, mapped)).contains("EINVAL (22)");
        tracker.stop();
        tracker.start(List.of(mapped), PAGE);
        assertThat(collect(tracker, mapped)).isEmpty();
    }

    @Test
    void shouldSayThatTheFdIsClosed() throws Exception {
        DmaDevice device = open();
        AddressRange mapped = pages(BASE, 0, 64);
        device.map(BASE, mapped.length());
        int fd = libc.dup(device.container().fd());
        Type1Tracker tracker = new Type1Tracker(new ContainerFd(libc, fd), "of the lab");
        tracker.start(List.of(mapped), PAGE);
        libc.close(fd);

        assertThat(collectEverything(tracker, mapped)).contains("EBADF (9)");
        assertThatThrownBy(tracker::stop)
                .isInstanceOf(DirtyTrackingException.class)
                .hasMessageContaining("EBADF (9)");
        assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(mapped), PAGE))
                .hasMessageContaining("the fd is closed; open it again")
                .hasMessageContaining("EBADF (9)");
        tracker.close();
    }

    @Test
    void shouldSayThatAnIommufdOrAnotherFdIsNoContainerThatCanTell() throws Exception {
        int iommufd = keep(libc.open(IommuFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC));
        int eventfd = keep(libc.eventfd(0, LibC.EFD_CLOEXEC));
        for (int fd : new int[] {iommufd, eventfd}) {
            ContainerFd foreign = new ContainerFd(libc, fd);
            assertThat(Type1Tracker.isSupported(foreign)).isFalse();
            Type1Tracker tracker = track(foreign);
            assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(pages(BASE, 0, 1)), PAGE))
                    .hasMessageContaining("use another source of dirty pages");
        }
    }
}
