// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.assertRefused;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.dirty.FakeLog.Report;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.DeviceFd;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceDmaTrackerTest {
    private static final long BASE = 1L << 40;
    private static final AddressRange ALL = pages(BASE, 0, 1000);

    private final Arena arena = Arena.ofConfined();
    private final FakeLog log = new FakeLog();
    private final DeviceFd device = log.device(7);
    private final DeviceDmaTracker tracker = new DeviceDmaTracker(device, "dev0");

    @AfterEach
    void close() {
        tracker.close();
        arena.close();
    }

    @Test
    void shouldStartReportAndStop() throws Exception {
        log.granted = 2 * PAGE;
        AddressRange low = pages(0, 2, 4);

        assertThat(tracker.start(List.of(ALL, low), PAGE)).isEqualTo(2 * PAGE);
        assertThat(log.starts).containsExactly(List.of(low, ALL));
        assertThat(log.hints).containsExactly(PAGE);
        assertThat(tracker.logged()).containsExactly(low, ALL);

        log.written.addAll(List.of(pages(0, 3, 1), pages(BASE, 0, 2), pages(BASE, 63, 3), pages(BASE, 999, 1)));
        assertThat(collect(tracker, low)).containsExactly(pages(0, 3, 1));
        assertThat(collect(tracker, ALL)).containsExactly(pages(BASE, 0, 2), pages(BASE, 63, 3), pages(BASE, 999, 1));
        assertThat(collect(tracker, ALL)).isEmpty();
        assertThat(log.reports).contains(new Report(low, PAGE), new Report(ALL, PAGE));

        tracker.stop();
        assertThat(log.stops).isEqualTo(1);
        assertThat(tracker.logged()).isEmpty();
        tracker.stop();
        tracker.close();
        assertThat(log.stops).isEqualTo(1);
    }

    @Test
    void shouldSayWhatItIs() {
        Capability capability = tracker.capability();

        assertThat(capability.source()).isEqualTo("device DMA logging of dev0");
        assertThat(capability.sees()).containsExactly(Writer.DEVICE);
        assertThat(capability.blindTo()).containsExactly(Writer.GUEST_CPU, Writer.THIS_PROCESS);
        assertThat(capability.reportsTooMuch()).isFalse();
        assertThat(capability.cost()).isNotBlank();
    }

    @Test
    void shouldAskTheDeviceWhetherItHasALog() {
        assertThat(DeviceDmaTracker.isSupported(device)).isTrue();
        log.probeResult = Errno.ENOTTY.negated();
        assertThat(DeviceDmaTracker.isSupported(device)).isFalse();
        assertThat(DeviceDmaTracker.isSupported(new DeviceFd(LibC.system(), 1 << 20)))
                .isFalse();
    }

    @Test
    void shouldFoldRangesUntilTheDeviceTakesThem() throws Exception {
        log.mostRanges = 20;
        List<AddressRange> wanted =
                LongStream.range(0, 300).mapToObj(i -> pages(BASE, 2 * i, 1)).toList();

        tracker.start(wanted, PAGE);

        assertThat(log.starts.stream().map(List::size)).containsExactly(300, 256, 128, 64, 32, 16);
        assertThat(tracker.logged()).hasSize(16).isEqualTo(log.logged);
        assertThat(wanted).allMatch(range -> tracker.logged().stream().anyMatch(each -> each.contains(range)));

        // What lies between the wanted ranges is logged now, but stays unseen.
        log.written.addAll(List.of(pages(BASE, 0, 1), pages(BASE, 1, 1), pages(BASE, 598, 1)));
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(BASE, 0, 600), PAGE);
        for (AddressRange range : wanted) {
            assertThat(tracker.collect(range, bitmap)).isEqualTo(Collected.REPORTED);
        }
        assertThat(runs(bitmap)).containsExactly(pages(BASE, 0, 1), pages(BASE, 598, 1));
        assertThat(log.reports).hasSize(300);
    }

    @ParameterizedTest
    @CsvSource({"256, 100, 64", "256, 256, 256", "257, 256, 256", "3, 2, 1", "2, 1, 1", "1000, 1, 1"})
    void shouldHandOverAsManyRangesAsTheDeviceTakes(int count, int most, int logged) throws Exception {
        log.mostRanges = most;

        tracker.start(
                LongStream.range(0, count).mapToObj(i -> pages(BASE, 2 * i, 1)).toList(), PAGE);

        assertThat(tracker.logged()).hasSize(logged);
    }

    @Test
    void shouldGiveUpWhenOneRangeIsTooMany() {
        log.mostRanges = 0;

        assertRefused(Problem.FAILED, () -> tracker.start(List.of(pages(0, 0, 1), pages(0, 4, 1)), PAGE))
                .isEqualTo("device DMA logging of dev0: starting the log failed: E2BIG (7)");

        assertThat(log.starts.stream().map(List::size)).containsExactly(2, 1);
        assertThat(tracker.logged()).isEmpty();
    }

    @Test
    void shouldAskForEachRangeThatWasStartedByItself() throws Exception {
        tracker.start(List.of(pages(BASE, 0, 10), pages(BASE, 10, 10), pages(BASE, 20, 5)), PAGE);
        log.written.add(pages(BASE, 9, 1));
        log.written.add(pages(BASE, 10, 1));
        log.written.add(pages(BASE, 23, 1));

        assertThat(collect(tracker, pages(BASE, 8, 15))).containsExactly(pages(BASE, 9, 2));

        assertThat(log.reports)
                .containsExactly(
                        new Report(pages(BASE, 8, 2), PAGE),
                        new Report(pages(BASE, 10, 10), PAGE),
                        new Report(pages(BASE, 20, 3), PAGE));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 7, 8, 9, 63, 64, 65})
    void shouldReportAPartThatBeginsAnywhereAndTouchNoOtherBits(int first) throws Exception {
        tracker.start(List.of(ALL), PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, ALL, PAGE);
        bitmap.mark(pages(BASE, first - 1, 1));
        log.written.add(ALL);
        AddressRange part = pages(BASE, first, 77);

        assertThat(tracker.collect(part, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(BASE, first - 1, 78));
        assertThat(log.reports).containsExactly(new Report(part, PAGE));
    }

    @Test
    void shouldReportByThePagesOfTheBitmap() throws Exception {
        tracker.start(List.of(pages(0, 0, 1024)), PAGE);
        log.written.add(pages(0, 513, 1));
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 1024), 256 * PAGE);

        assertThat(tracker.collect(pages(0, 0, 1024), bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(log.reports).containsExactly(new Report(pages(0, 0, 1024), 256 * PAGE));
        assertThat(runs(bitmap)).containsExactly(pages(0, 512, 256));
    }

    /** Bit k is page k from the request's begin: with a begin within a page, that is no page of the bitmap's. */
    @Test
    void shouldFindTheRightLargePageWhereARangeBeginsWithinOne() throws Exception {
        tracker.start(List.of(pages(0, 0, 1), pages(0, 1, 1023)), PAGE);
        log.written.add(pages(0, 256, 1));
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 1024), 256 * PAGE);

        assertThat(tracker.collect(pages(0, 0, 1024), bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(0, 256, 256));
    }

    @Test
    void shouldReportIntoSmallerPagesThanTheKernelKnows() throws Exception {
        tracker.start(List.of(pages(0, 0, 16)), 512);
        assertThat(log.hints).containsExactly(PAGE);
        log.written.add(pages(0, 3, 1));
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 16), 1024);

        assertThat(tracker.collect(pages(0, 0, 16), bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(0, 3, 1));
    }

    @Test
    void shouldCallEverythingDirtyFromTheFirstReportThatFailsOn() throws Exception {
        AddressRange other = pages(0, 0, 8);
        tracker.start(List.of(ALL, other), PAGE);
        log.reportErrors.put(0, Errno.EOPNOTSUPP);

        assertThat(collectEverything(tracker, ALL))
                .isEqualTo("device DMA logging of dev0: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT for " + ALL
                        + " failed (EOPNOTSUPP (95)): everything in it counts as dirty");
        // The log is corrupt, says the uAPI, and not this range of it only.
        assertThat(collectEverything(tracker, other))
                .isEqualTo("device DMA logging of dev0: an earlier VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT failed "
                        + "(EOPNOTSUPP (95)), so its log is corrupt until it is started anew: everything counts as "
                        + "dirty");
        assertThat(collectEverything(tracker, ALL)).contains("EOPNOTSUPP (95)");
        assertThat(log.reports).hasSize(1);

        tracker.stop();
        tracker.start(List.of(ALL), PAGE);
        log.written.add(pages(BASE, 5, 1));
        assertThat(collect(tracker, ALL)).containsExactly(pages(BASE, 5, 1));
    }

    @Test
    void shouldCallAllThatIsCollectedDirtyWhenOneRangeOfItFails() throws Exception {
        tracker.start(List.of(pages(0, 0, 8), pages(0, 8, 8), pages(0, 16, 8)), PAGE);
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 32), PAGE);
        log.reportErrors.put(1, Errno.ENOMEM);
        Collected collected = tracker.collect(pages(0, 2, 20), bitmap);

        assertThat(collected.everythingBecause()).contains("0x8000-0xffff failed (ENOMEM (12))");
        assertThat(runs(bitmap)).containsExactly(pages(0, 2, 20));
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"EINVAL", "EBUSY", "EBADF", "ENOTTY", "EOPNOTSUPP", "EOVERFLOW", "ENOMEM"})
    void shouldSayWhyItCannotStartAndLeaveNothingRunning(Errno error) throws Exception {
        log.startErrors.add(error);

        DirtyTrackingException refusal =
                catchThrowableOfType(DirtyTrackingException.class, () -> tracker.start(List.of(ALL), PAGE));

        assertThat(refusal)
                .hasMessageStartingWith("device DMA logging of dev0: ")
                .hasMessageEndingWith(": " + Errno.describe(error.negated()));
        assertThat(refusal.errno()).isEqualTo(error.number());
        assertThat(refusal.problem())
                .isEqualTo(
                        switch (error) {
                            case EBUSY -> Problem.BUSY;
                            case EBADF -> Problem.FOREIGN;
                            case ENOTTY, EOPNOTSUPP -> Problem.UNSUPPORTED;
                            case EOVERFLOW -> Problem.BAD_RANGE;
                            default -> Problem.FAILED;
                        });
        assertThat(refusal.getMessage())
                .contains(
                        switch (error) {
                            case EINVAL -> "somebody else logs, or the device does not take pages of 4096 bytes";
                            case EBUSY -> "somebody else does; stop that first";
                            case EBADF -> "the fd is closed; open it again";
                            case ENOTTY, EOPNOTSUPP -> "use another source of dirty pages";
                            case EOVERFLOW ->
                                "the last address of all, which the kernel refuses; end it a page earlier";
                            default -> "starting the log failed";
                        });
        assertThat(tracker.logged()).isEmpty();
        assertRefused(Problem.NOT_STARTED, () -> tracker.collect(ALL, new DirtyBitmap(arena, ALL, PAGE)));
        tracker.stop();
        assertThat(log.stops).isZero();
        tracker.start(List.of(ALL), PAGE);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 3, Long.MIN_VALUE})
    void shouldNotBelieveAPageSizeThatIsNone(long granted) {
        log.granted = granted;

        assertRefused(Problem.FAILED, () -> tracker.start(List.of(ALL), PAGE))
                .contains("grants pages of " + granted + " bytes, which are none");

        assertThat(log.stops).isEqualTo(1);
        assertThat(log.logged).isEmpty();
    }

    @Test
    void shouldSayThatItOrSomebodyElseWatchesAlready() throws Exception {
        tracker.start(List.of(ALL), PAGE);

        assertRefused(Problem.BUSY, () -> tracker.start(List.of(ALL), PAGE)).contains("it watches already");
        try (DeviceDmaTracker second = new DeviceDmaTracker(device, "dev0")) {
            assertRefused(Problem.BUSY, () -> second.start(List.of(ALL), PAGE)).contains("stop that first: EBUSY (16)");
        }
        assertThat(log.stops).as("what does not watch stops nobody's log").isZero();
        assertThat(log.logged).containsExactly(ALL);
    }

    @Test
    void shouldSayThatStoppingFailedAndCountAsStopped() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        log.stopResult = Errno.EINVAL.negated();

        assertRefused(Problem.FAILED, tracker::stop)
                .isEqualTo("device DMA logging of dev0: stopping failed: EINVAL (22)");

        tracker.stop();
        assertThat(log.stops).isEqualTo(1);
        tracker.start(List.of(ALL), PAGE);
        tracker.close();
        assertThat(log.stops).as("closing stops, whatever the kernel says").isEqualTo(2);
    }

    @Test
    void shouldSayThatTheRealKernelKnowsNoSuchFd() {
        try (DeviceDmaTracker closed = new DeviceDmaTracker(new DeviceFd(LibC.system(), 1 << 20), "closed")) {
            assertRefused(Problem.FOREIGN, () -> closed.start(List.of(ALL), PAGE))
                    .isEqualTo("device DMA logging of closed: starting the log failed, for the fd is closed; open it "
                            + "again: EBADF (9)");
        }
    }
}
