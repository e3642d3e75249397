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
import io.vfio4j.dirty.DeviceDmaTracker;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingControl;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingRange;
import io.vfio4j.it.lab.MdevUnderTest.Way;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The DMA log of real drivers: the test device writes to mapped memory, and exactly that is reported. */
@Tag("lab")
@ExtendWith(LeakCheck.class)
class DeviceDmaTrackerTest {
    /** Above what 32 bits can say. */
    private static final long BASE = 1L << 32;

    private static final int KERNEL_MOST_RANGES = 256;

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

    private DmaDevice open(Way way) throws IOException {
        return open("vfio4j_testdev-full", way);
    }

    private DmaDevice open(String type, Way way) throws IOException {
        DmaDevice device = new DmaDevice(type, way);
        opened.push(device);
        Assumptions.assumeTrue(
                DeviceDmaTracker.isSupported(device.fd()), () -> "device DMA logging: " + type + " has none here");
        return device;
    }

    private DeviceDmaTracker track(DmaDevice device) {
        DeviceDmaTracker tracker = new DeviceDmaTracker(device.fd(), "testdev");
        opened.push(tracker);
        return tracker;
    }

    // ---- what is reported ----

    @ParameterizedTest
    @EnumSource
    void shouldReportExactlyTheWrittenPagesAndForgetThem(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange watched = pages(BASE, 0, 256);
        MemorySegment memory = device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        device.write(BASE, PAGE, 0x11);
        assertThat(tracker.start(List.of(watched), PAGE)).isEqualTo(PAGE);
        assertThat(tracker.logged()).containsExactly(watched);

        device.write(BASE + 3 * PAGE + 17, 1, 0x22);
        device.write(BASE + 7 * PAGE - 1, 2, 0x33);
        device.write(BASE + 60 * PAGE, 70 * PAGE, 0x44);
        device.write(BASE + 256 * PAGE - 1, 1, 0x55);

        assertThat(collect(tracker, watched))
                .containsExactly(pages(BASE, 3, 1), pages(BASE, 6, 2), pages(BASE, 60, 70), pages(BASE, 255, 1));
        assertThat(collect(tracker, watched)).isEmpty();
        device.write(BASE + 3 * PAGE, 1, 0x66);
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 3, 1));

        assertThat(byteAt(memory, PAGE - 1)).isEqualTo(0x11);
        assertThat(byteAt(memory, 3 * PAGE + 17)).isEqualTo(0x22);
        assertThat(byteAt(memory, 7 * PAGE)).isEqualTo(0x33);
        assertThat(byteAt(memory, 129 * PAGE)).isEqualTo(0x44);
        assertThat(byteAt(memory, 256 * PAGE - 1)).isEqualTo(0x55);
        assertThat(byteAt(memory, 3 * PAGE)).isEqualTo(0x66);
        assertThat(byteAt(memory, PAGE)).isZero();
        tracker.stop();
        assertThat(device.mdev().log()).containsOnlyOnce("log_start 1", "log_stop");
    }

    private static int byteAt(MemorySegment memory, long offset) {
        return memory.get(ValueLayout.JAVA_BYTE, offset);
    }

    @Test
    void shouldLeaveTheBitsThatAreSet() throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange watched = pages(BASE, 0, 128);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, watched, PAGE);
        bitmap.mark(pages(BASE, 1, 2));
        bitmap.mark(pages(BASE, 100, 1));

        device.write(BASE + 2 * PAGE, 2 * PAGE, 1);
        assertThat(tracker.collect(watched, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(BASE, 1, 3), pages(BASE, 100, 1));
    }

    @ParameterizedTest
    @EnumSource
    void shouldWatchSeveralRangesAndNothingBetweenThem(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange all = pages(BASE, 0, 64);
        device.map(BASE, all.length());
        DeviceDmaTracker tracker = track(device);
        List<AddressRange> ranges = List.of(pages(BASE, 40, 8), pages(BASE, 3, 5), pages(BASE, 8, 2));
        tracker.start(ranges, PAGE);
        assertThat(tracker.logged())
                .containsExactly(pages(BASE, 3, 5), pages(BASE, 8, 2), pages(BASE, 40, 8))
                .isSorted();

        for (long page : new long[] {2, 7, 8, 10, 39, 47, 48}) {
            device.write(BASE + page * PAGE, 1, 1);
        }

        DirtyBitmap bitmap = new DirtyBitmap(arena, all, PAGE);
        // Two of the ranges touch, so they may be collected as one.
        assertThat(tracker.collect(pages(BASE, 3, 7), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 7, 2));
        assertThat(tracker.collect(pages(BASE, 40, 8), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 7, 2), pages(BASE, 47, 1));
    }

    @ParameterizedTest
    @EnumSource
    void shouldReportAPartThatBeginsInTheMiddleOfAByteOfTheBitmap(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange watched = pages(BASE, 0, 128);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);
        long[] written = {2, 3, 5, 12, 13, 64, 70, 127};
        for (long page : written) {
            device.write(BASE + page * PAGE, 1, 1);
        }
        DirtyBitmap bitmap = new DirtyBitmap(arena, watched, PAGE);

        assertThat(tracker.collect(pages(BASE, 3, 10), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 3, 1), pages(BASE, 5, 1), pages(BASE, 12, 1));
        // A byte's begin that is no word's.
        assertThat(tracker.collect(pages(BASE, 72, 56), bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).contains(pages(BASE, 127, 1)).hasSize(4);
        bitmap.clear();
        assertThat(tracker.collect(watched, bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap))
                .containsExactly(pages(BASE, 2, 1), pages(BASE, 13, 1), pages(BASE, 64, 1), pages(BASE, 70, 1));
    }

    @ParameterizedTest
    @EnumSource
    void shouldReportByTheLargerPagesOfTheBitmap(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange watched = new AddressRange(BASE, 32 * MEBIBYTE);
        MemorySegment memory = device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);
        device.write(BASE + 2 * MEBIBYTE + 5 * PAGE, 3, 0x12);
        device.write(BASE + 20 * MEBIBYTE - 1, 2, 0x34);
        DirtyBitmap bitmap = new DirtyBitmap(arena, watched, 2 * MEBIBYTE);

        assertThat(tracker.collect(watched, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap))
                .containsExactly(
                        new AddressRange(BASE + 2 * MEBIBYTE, 2 * MEBIBYTE),
                        new AddressRange(BASE + 18 * MEBIBYTE, 4 * MEBIBYTE));
        assertThat(byteAt(memory, 2 * MEBIBYTE + 5 * PAGE + 2)).isEqualTo(0x12);
        assertThat(byteAt(memory, 20 * MEBIBYTE)).isEqualTo(0x34);
        assertThat(collect(tracker, watched)).isEmpty();
    }

    @Test
    void shouldReportByLargerPagesWhereRangesMeetWithinOne() throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange all = new AddressRange(BASE, 32 * MEBIBYTE);
        device.map(BASE, all.length());
        DeviceDmaTracker tracker = track(device);
        AddressRange first = pages(BASE, 0, 1);
        AddressRange middle = new AddressRange(BASE + PAGE, 18 * MEBIBYTE);
        AddressRange last = new AddressRange(middle.last() + 1, all.last() - middle.last());
        tracker.start(List.of(first, middle, last), PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, all, 2 * MEBIBYTE);

        device.write(BASE + 4 * MEBIBYTE, 1, 1);
        device.write(BASE + 24 * MEBIBYTE, 1, 1);
        assertThat(tracker.collect(all, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap))
                .containsExactly(
                        new AddressRange(BASE + 4 * MEBIBYTE, 2 * MEBIBYTE),
                        new AddressRange(BASE + 24 * MEBIBYTE, 2 * MEBIBYTE));
    }

    @ParameterizedTest
    @ValueSource(longs = {512, 4096, 65536, 2 * MEBIBYTE})
    void shouldGrantPagesOf4KibibytesWhateverIsAskedFor(long hint) throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange watched = new AddressRange(BASE, 4 * MEBIBYTE);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);

        assertThat(tracker.start(List.of(watched), hint)).isEqualTo(PAGE);

        device.write(BASE + 17 * PAGE, 1, 1);
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 17, 1));
    }

    @Test
    void shouldReportIntoABitmapWithSmallerPagesThanTheKernelKnows() throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange watched = pages(BASE, 0, 16);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);
        device.write(BASE + 2 * PAGE, 1, 1);
        DirtyBitmap bitmap = new DirtyBitmap(arena, watched, 512);

        assertThat(tracker.collect(watched, bitmap)).isEqualTo(Collected.REPORTED);
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 2, 1));
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(new AddressRange(BASE + 512, 512), bitmap))
                .hasMessageContaining("4096");
    }

    @ParameterizedTest
    @EnumSource
    void shouldBeginAnewAfterAStop(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange watched = pages(BASE, 0, 32);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);
        device.write(BASE + PAGE, 1, 1);
        tracker.stop();
        assertThat(tracker.logged()).isEmpty();
        tracker.stop();
        device.write(BASE + 2 * PAGE, 1, 1);

        tracker.start(List.of(pages(BASE, 0, 16)), PAGE);
        assertThat(collect(tracker, pages(BASE, 0, 16))).isEmpty();
        device.write(BASE + 3 * PAGE, 1, 1);
        device.write(BASE + 20 * PAGE, 1, 1);
        assertThat(collect(tracker, pages(BASE, 0, 16))).containsExactly(pages(BASE, 3, 1));

        assertThat(device.mdev().log().stream().filter(event -> event.startsWith("log_")))
                .containsExactly("log_start 1", "log_stop", "log_start 1");
    }

    @Test
    void shouldWatchWhileTheDeviceIsInPreCopy() throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange watched = pages(BASE, 0, 32);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);

        device.setState(Vfio.VFIO_DEVICE_STATE_PRE_COPY);
        device.write(BASE + 5 * PAGE, 1, 1);
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 5, 1));
        device.write(BASE + 6 * PAGE, 1, 1);
        device.setState(Vfio.VFIO_DEVICE_STATE_STOP_COPY);
        // It has stopped, so this is the last that there is to collect, and it is there still.
        assertThatThrownBy(() -> device.write(BASE + 7 * PAGE, 1, 1)).isInstanceOf(IOException.class);
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 6, 1));
        assertThat(device.mdev().attribute("state")).isEqualTo("STOP_COPY");
    }

    @Test
    void shouldTrackTheStubOfTheSampleDevice() throws Exception {
        DmaDevice device = open("mtty-2", Way.CDEV);
        AddressRange watched = pages(BASE, 0, 32);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);

        // It grants whatever is asked for, and never says that a page is dirty.
        assertThat(tracker.start(List.of(watched), 8 * PAGE)).isEqualTo(8 * PAGE);
        assertThat(collect(tracker, watched)).isEmpty();
        tracker.stop();
    }

    // ---- many ranges ----

    private static List<AddressRange> everyOtherPage(int count) {
        return LongStream.range(0, count).mapToObj(i -> pages(BASE, 2 * i, 1)).toList();
    }

    @Test
    void shouldHandTheKernelAsManyRangesAsItTakes() throws Exception {
        DmaDevice device = open(Way.CDEV);
        DeviceDmaTracker tracker = track(device);

        tracker.start(everyOtherPage(KERNEL_MOST_RANGES), PAGE);

        assertThat(tracker.logged()).isEqualTo(everyOtherPage(KERNEL_MOST_RANGES));
        assertThat(device.mdev().log()).contains("log_start " + KERNEL_MOST_RANGES);
    }

    @ParameterizedTest
    @CsvSource({
        "CDEV, 300, 0, 256",
        "GROUP, 300, 0, 256",
        "CDEV, 256, 256, 256",
        "CDEV, 256, 255, 128",
        "CDEV, 300, 100, 64",
        "CDEV, 300, 1, 1",
        "CDEV, 3, 2, 1",
        "GROUP, 2, 1, 1",
    })
    void shouldFoldRangesUntilTheDeviceTakesThemAndReportExactlyStill(Way way, int count, String most, int logged)
            throws Exception {
        DmaDevice device = open(way);
        AddressRange all = pages(BASE, 0, 2L * count);
        device.map(BASE, all.length());
        device.mdev().attribute("dma_max_ranges", most);
        DeviceDmaTracker tracker = track(device);
        List<AddressRange> ranges = everyOtherPage(count);

        tracker.start(ranges, PAGE);

        assertThat(device.mdev().log()).contains("log_start " + logged);
        assertThat(tracker.logged()).hasSize(logged);
        assertThat(ranges).allMatch(range -> tracker.logged().stream().anyMatch(whole -> whole.contains(range)));
        List<AddressRange> written = new ArrayList<>();
        for (int i = 0; i < count; i += 1 + count / 12) {
            // A page that is watched, and one that is not, though it may be logged.
            device.write(ranges.get(i).start(), 1, 1);
            device.write(ranges.get(i).last() + 1, 1, 1);
            written.add(ranges.get(i));
        }
        DirtyBitmap bitmap = new DirtyBitmap(arena, all, PAGE);
        for (AddressRange range : ranges) {
            assertThat(tracker.collect(range, bitmap)).isEqualTo(Collected.REPORTED);
        }
        assertThat(runs(bitmap)).isEqualTo(written);
        tracker.stop();
        assertThat(device.mdev().log()).contains("log_stop");
    }

    @Test
    void shouldJoinTheNearestRangesFirst() throws Exception {
        DmaDevice device = open(Way.CDEV);
        device.mdev().attribute("dma_max_ranges", "2");
        DeviceDmaTracker tracker = track(device);

        tracker.start(List.of(pages(BASE, 100, 1), pages(BASE, 0, 4), pages(BASE, 103, 5), pages(BASE, 90, 8)), PAGE);

        assertThat(tracker.logged()).containsExactly(pages(BASE, 0, 4), pages(BASE, 90, 18));
    }

    // ---- bad input ----

    @Test
    void shouldRefuseBadRangesAndStartNothing() throws Exception {
        DmaDevice device = open(Way.CDEV);
        DeviceDmaTracker tracker = track(device);

        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(), PAGE))
                .hasMessageContaining("device DMA logging of testdev")
                .hasMessageContaining("name at least one");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(pages(BASE, 4, 4), pages(BASE, 0, 5)), PAGE))
                .hasMessageContaining("0x100000000-0x100004fff and 0x100004000-0x100007fff overlap");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(new AddressRange(BASE + 1, PAGE)), PAGE))
                .hasMessageContaining("no multiple of 4096")
                .hasMessageContaining("align it");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(new AddressRange(BASE, PAGE - 1)), PAGE))
                .hasMessageContaining("no multiple of 4096");
        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(pages(BASE, 1, 1)), 2 * PAGE))
                .hasMessageContaining("no multiple of 8192")
                .hasMessageContaining("ask for smaller pages");
        assertRefused(Problem.BAD_PAGE_SIZE, () -> tracker.start(List.of(pages(BASE, 0, 4)), PAGE + 1))
                .hasMessageContaining("power of two");
        assertRefused(
                        Problem.BAD_RANGE,
                        () -> tracker.start(List.of(pages(BASE, 0, 1), new AddressRange(-PAGE, PAGE)), PAGE))
                .hasMessageContaining("the last address")
                .hasMessageContaining("end it a page earlier")
                .hasMessageContaining("EOVERFLOW");
        assertThatThrownBy(() -> new AddressRange(-PAGE, 2 * PAGE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("beyond 64 bits");

        assertThat(device.mdev().log()).noneMatch(event -> event.startsWith("log_"));
        tracker.start(List.of(pages(BASE, 0, 1)), PAGE);
        assertThat(device.mdev().log()).contains("log_start 1");
    }

    /** Why the tracker checks what it checks. */
    @Test
    void shouldHearTheSameOfTheKernelItself() throws Exception {
        DmaDevice device = open(Way.CDEV);

        assertThat(startRaw(device, List.of(), PAGE)).isEqualTo(Errno.EINVAL.negated());
        assertThat(startRaw(device, List.of(pages(BASE, 4, 4), pages(BASE, 0, 5)), PAGE))
                .isEqualTo(Errno.EINVAL.negated());
        assertThat(startRaw(device, List.of(new AddressRange(BASE + 1, PAGE)), PAGE))
                .isEqualTo(Errno.EINVAL.negated());
        assertThat(startRaw(device, List.of(new AddressRange(-PAGE, PAGE)), PAGE))
                .isEqualTo(Errno.EOVERFLOW.negated());
        assertThat(startRaw(device, everyOtherPage(KERNEL_MOST_RANGES + 1), PAGE))
                .isEqualTo(Errno.E2BIG.negated());
        assertThat(device.mdev().log()).noneMatch(event -> event.startsWith("log_"));
        assertThat(startRaw(device, everyOtherPage(KERNEL_MOST_RANGES), PAGE)).isZero();
    }

    private int startRaw(DmaDevice device, List<AddressRange> ranges, long pageSize) {
        MemorySegment array =
                arena.allocate(VfioDeviceFeatureDmaLoggingRange.STRUCT.size() * Math.max(1, ranges.size()), Long.BYTES);
        for (int i = 0; i < ranges.size(); i++) {
            MemorySegment each = array.asSlice(i * VfioDeviceFeatureDmaLoggingRange.STRUCT.size());
            VfioDeviceFeatureDmaLoggingRange.IOVA.set(each, ranges.get(i).start());
            VfioDeviceFeatureDmaLoggingRange.LENGTH.set(each, ranges.get(i).length());
        }
        MemorySegment start = arena.allocate(
                VfioDeviceFeature.STRUCT.size() + VfioDeviceFeatureDmaLoggingControl.STRUCT.size(), Long.BYTES);
        VfioDeviceFeature.ARGSZ.set(start, (int) start.byteSize());
        VfioDeviceFeature.FLAGS.set(start, Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START);
        MemorySegment control = VfioDeviceFeature.DATA.of(start);
        VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(control, pageSize);
        VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.set(control, ranges.size());
        VfioDeviceFeatureDmaLoggingControl.RANGES.set(control, array.address());
        return device.fd().feature(start);
    }

    @Test
    void shouldRefuseToCollectWhatIsNotWatchedAndForgetNothing() throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange all = pages(BASE, 0, 64);
        device.map(BASE, all.length());
        DeviceDmaTracker tracker = track(device);
        DirtyBitmap bitmap = new DirtyBitmap(arena, all, PAGE);
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(all, bitmap)).hasMessageContaining("start it first");
        AddressRange watched = pages(BASE, 8, 16);
        tracker.start(List.of(watched, pages(BASE, 32, 8)), PAGE);
        device.write(BASE + 8 * PAGE, 1, 1);

        for (AddressRange outside : Arrays.asList(
                pages(BASE, 0, 8), pages(BASE, 7, 2), pages(BASE, 20, 5), pages(BASE, 8, 32), pages(BASE, 100, 1))) {
            assertRefused(
                            Problem.BAD_RANGE,
                            () -> tracker.collect(outside, new DirtyBitmap(arena, pages(BASE, 0, 128), PAGE)))
                    .hasMessageContaining(outside.toString())
                    .hasMessageContaining("start it with that range");
        }
        assertRefused(
                        Problem.BAD_RANGE,
                        () -> tracker.collect(watched, new DirtyBitmap(arena, pages(BASE, 8, 4), PAGE)))
                .hasMessageContaining("the bitmap");
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(watched, new DirtyBitmap(arena, all, 32 * PAGE)))
                .hasMessageContaining("131072");

        assertThat(bitmap.isEmpty()).isTrue();
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 8, 1));
        tracker.stop();
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(watched, bitmap));
    }

    @ParameterizedTest
    @EnumSource
    void shouldSayThatTheDeviceLogsForSomebodyElse(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange watched = pages(BASE, 0, 16);
        device.map(BASE, watched.length());
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched), PAGE);
        DeviceDmaTracker second = track(device);

        assertRefused(Problem.BUSY, () -> second.start(List.of(watched), PAGE))
                .hasMessageContaining("somebody else")
                .hasMessageContaining("stop that first")
                .hasMessageContaining("EBUSY (16)");
        assertRefused(Problem.BUSY, () -> tracker.start(List.of(watched), PAGE))
                .hasMessageContaining("it watches already");
        second.close();

        assertThat(second.logged()).isEmpty();
        device.write(BASE + PAGE, 1, 1);
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 1, 1));
        assertThat(device.mdev().log()).contains("log_start 1").doesNotContain("log_stop");
        tracker.close();
        assertThat(device.mdev().log()).contains("log_stop");
        second.start(List.of(watched), PAGE);
    }

    @ParameterizedTest
    @EnumSource
    void shouldCallEverythingDirtyWhenTheLogIsGone(Way way) throws Exception {
        DmaDevice device = open(way);
        AddressRange watched = pages(BASE, 0, 100);
        device.map(BASE, 200 * PAGE);
        DeviceDmaTracker tracker = track(device);
        tracker.start(List.of(watched, pages(BASE, 150, 3)), PAGE);
        assertThat(device.feature(Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP))
                .isZero();

        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(BASE, 0, 200), PAGE);
        Collected collected = tracker.collect(watched, bitmap);
        assertThat(collected.reported()).isFalse();
        assertThat(collected.everythingBecause())
                .isEqualTo("device DMA logging of testdev: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT for " + watched
                        + " failed (EINVAL (22)): everything in it counts as dirty");
        assertThat(runs(bitmap)).containsExactly(watched);
        // A part that begins in the middle of a byte, and one in which a page of the bitmap begins elsewhere.
        assertThat(collectEverything(tracker, pages(BASE, 3, 10))).contains("EINVAL (22)");
        assertThat(collectEverything(tracker, pages(BASE, 151, 1))).contains("EINVAL (22)");

        // The kernel refuses, and it counts as stopped all the same.
        assertThatThrownBy(tracker::stop)
                .isInstanceOf(DirtyTrackingException.class)
                .hasMessageContaining("stopping failed: EINVAL (22)");
        tracker.stop();
        tracker.start(List.of(watched), PAGE);
        device.write(BASE + PAGE, 1, 1);
        assertThat(collect(tracker, watched)).containsExactly(pages(BASE, 1, 1));
    }

    @Test
    void shouldSayThatTheFdIsClosed() throws Exception {
        DmaDevice device = open(Way.CDEV);
        AddressRange watched = pages(BASE, 0, 16);
        int fd = libc.dup(device.fd().fd());
        DeviceFd duplicate = new DeviceFd(libc, fd);
        DeviceDmaTracker tracker = new DeviceDmaTracker(duplicate, "testdev");
        tracker.start(List.of(watched), PAGE);
        libc.close(fd);

        assertThat(collectEverything(tracker, watched)).contains("EBADF (9)");
        assertThatThrownBy(tracker::stop)
                .isInstanceOf(DirtyTrackingException.class)
                .hasMessageContaining("EBADF (9)");
        assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(watched), PAGE))
                .hasMessageContaining("the fd is closed; open it again")
                .hasMessageContaining("EBADF (9)");
        assertThat(DeviceDmaTracker.isSupported(duplicate)).isFalse();
        tracker.close();
    }

    @Test
    void shouldSayThatTheFdIsNoDevice() throws Exception {
        int fd = libc.eventfd(0, LibC.EFD_CLOEXEC);
        opened.push(() -> libc.close(fd));
        DeviceFd foreign = new DeviceFd(libc, fd);

        assertThat(DeviceDmaTracker.isSupported(foreign)).isFalse();
        try (DirtyTracker tracker = new DeviceDmaTracker(foreign, "an eventfd")) {
            assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(pages(BASE, 0, 1)), PAGE))
                    .hasMessageContaining("device DMA logging of an eventfd")
                    .hasMessageContaining("use another source")
                    .hasMessageContaining("ENOTTY (25)");
        }
    }
}
