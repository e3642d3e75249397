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
import io.vfio4j.dirty.FakeContainer.Capabilities;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.ContainerFd;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class Type1TrackerTest {
    private static final AddressRange ALL = pages(0, 0, 200);

    private final Arena arena = Arena.ofConfined();
    private final FakeContainer fake = new FakeContainer();
    private final ContainerFd container = fake.container(9);
    private final Type1Tracker tracker = new Type1Tracker(container, "12");

    @AfterEach
    void close() {
        tracker.close();
        arena.close();
    }

    @Test
    void shouldStartReportAndStop() throws Exception {
        fake.pinned.addAll(List.of(pages(0, 3, 2), pages(0, 70, 1)));

        assertThat(tracker.start(List.of(ALL), 2 * PAGE))
                .as("the smallest page, whatever is asked for")
                .isEqualTo(PAGE);
        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 3, 2), pages(0, 70, 1));
        assertThat(collect(tracker, ALL)).as("still pinned").containsExactly(pages(0, 3, 2), pages(0, 70, 1));
        tracker.stop();
        tracker.stop();

        assertThat(fake.calls)
                .containsExactly("start", "get 0x0-0xc7fff by 4096 into 32", "get 0x0-0xc7fff by 4096 into 32", "stop");
        assertThat(tracker.capability().source()).isEqualTo("type1 dirty pages of container 12");
        assertThat(tracker.capability().sees()).containsExactly(Writer.DEVICE);
        assertThat(tracker.capability().reportsTooMuch()).isTrue();
    }

    @Test
    void shouldAddToWhatIsMarkedThoughTheKernelOverwrites() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        fake.pinned.add(pages(0, 15, 1));
        DirtyBitmap bitmap = new DirtyBitmap(arena, ALL, PAGE);
        bitmap.mark(pages(0, 1, 1));
        bitmap.mark(pages(0, 12, 1));
        bitmap.mark(pages(0, 199, 1));

        assertThat(tracker.collect(pages(0, 11, 9), bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap)).containsExactly(pages(0, 1, 1), pages(0, 12, 1), pages(0, 15, 1), pages(0, 199, 1));
        DirtyBitmap large = new DirtyBitmap(arena, ALL, 8 * PAGE);
        assertThat(tracker.collect(ALL, large)).isEqualTo(Collected.REPORTED);
        assertThat(runs(large)).containsExactly(pages(0, 8, 8));
        assertThat(fake.calls).last().isEqualTo("get 0x0-0xc7fff by 4096 into 32");
    }

    @Test
    void shouldAskForNoMoreAtOnceThanTheContainerAnswers() throws Exception {
        // One word of bits, and seven bytes that make no other.
        fake.mostBytes = 15;
        tracker.start(List.of(ALL), PAGE);
        fake.pinned.addAll(List.of(pages(0, 63, 2), pages(0, 128, 1), pages(0, 199, 1)));

        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 63, 2), pages(0, 128, 1), pages(0, 199, 1));

        assertThat(fake.calls)
                .containsExactly(
                        "start",
                        "get 0x0-0x3ffff by 4096 into 8",
                        "get 0x40000-0x7ffff by 4096 into 8",
                        "get 0x80000-0xbffff by 4096 into 8",
                        "get 0xc0000-0xc7fff by 4096 into 8");
    }

    @Test
    void shouldCallAllThatIsCollectedDirtyWhenTheKernelCannotTell() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        fake.getResult = Errno.EINVAL.negated();

        assertThat(collectEverything(tracker, ALL))
                .isEqualTo("type1 dirty pages of container 12: VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP for 0x0-0xc7fff "
                        + "failed (EINVAL (22)): everything in it counts as dirty");
        fake.getResult = 0;
        assertThat(collect(tracker, ALL)).isEmpty();
    }

    @Test
    void shouldUnmapAndAddWhatWasDirty() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        fake.pinned.addAll(List.of(pages(0, 63, 2), pages(0, 100, 1)));
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 64, 64), PAGE);

        tracker.unmap(ALL, bitmap);

        assertThat(fake.calls).containsExactly("start", "unmap 0x0-0xc7fff by 4096 into 32");
        assertThat(runs(bitmap)).containsExactly(pages(0, 64, 1), pages(0, 100, 1));
    }

    @Test
    void shouldSayWhyItCannotUnmap() throws Exception {
        DirtyBitmap bitmap = new DirtyBitmap(arena, ALL, PAGE);
        assertRefused(Problem.NOT_STARTED, () -> tracker.unmap(ALL, bitmap)).contains("start it first");
        tracker.start(List.of(ALL), PAGE);
        assertRefused(Problem.BAD_RANGE, () -> tracker.unmap(new AddressRange(512, PAGE), bitmap))
                .contains("0x200-0x11ff is no multiple of the container's pages of 4096 bytes; align it");
        assertThat(fake.calls).containsExactly("start");
        fake.unmapResult = Errno.EINVAL.negated();
        fake.pinned.add(ALL);
        assertRefused(Problem.FAILED, () -> tracker.unmap(ALL, bitmap))
                .endsWith("unmapping 0x0-0xc7fff failed; name whole mappings, as they were mapped: EINVAL (22)");
        assertThat(bitmap.isEmpty()).isTrue();
    }

    @ParameterizedTest
    @EnumSource(
            value = Capabilities.class,
            names = {"NONE", "OTHER", "TOO_SHORT"})
    void shouldSayThatTheContainerCannotTell(Capabilities capabilities) {
        fake.capabilities = capabilities;

        assertThat(Type1Tracker.isSupported(container)).isFalse();
        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(ALL), PAGE))
                .isEqualTo("type1 dirty pages of container 12: the container cannot tell (no "
                        + "VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION); use another source of dirty pages");
        assertThat(fake.calls).isEmpty();
    }

    @Test
    void shouldSayThatTheContainerIsClosed() {
        fake.infoResult = Errno.EBADF.negated();
        fake.versionResult = Errno.EBADF.negated();

        assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(ALL), PAGE))
                .endsWith("asking the container failed, for the fd is closed; open it again: EBADF (9)");
    }

    @Test
    void shouldFindTheCapabilityBehindAnother() {
        assertThat(Type1Tracker.isSupported(container)).isTrue();
        fake.infoResult = Errno.EINVAL.negated();
        assertThat(Type1Tracker.isSupported(container)).isFalse();
        assertThat(Type1Tracker.isSupported(new ContainerFd(LibC.system(), 1 << 20)))
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource({"0, 32", "-9223372036854775808, 32", "4096, 0", "4096, 7", "4096, -1"})
    void shouldNotBelieveACapabilityThatIsNone(long pageSizes, long mostBytes) {
        fake.pageSizes = pageSizes;
        fake.mostBytes = mostBytes;

        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(ALL), PAGE))
                .contains("the container takes no pages, or no bitmap");
        assertThat(fake.calls).isEmpty();
    }

    @Test
    void shouldTakeACapabilityWithoutALimit() throws Exception {
        fake.mostBytes = Long.MAX_VALUE;
        AddressRange huge = new AddressRange(0, 1L << 40);

        tracker.start(List.of(huge), PAGE);

        assertThat(collect(tracker, huge)).isEmpty();
        assertThat(fake.calls).containsExactly("start", "get 0x0-0xffffffffff by 4096 into 33554432");
    }

    @Test
    void shouldRefuseRangesThatAreNotOfTheContainersPages() {
        fake.pageSizes = 0x10000;

        assertRefused(Problem.BAD_RANGE, () -> tracker.start(List.of(pages(0, 0, 16), pages(0, 16, 8)), PAGE))
                .contains("0x10000-0x17fff is no multiple of the container's pages of 65536 bytes; align it");
        assertThat(fake.calls).isEmpty();
    }

    @Test
    void shouldGrantTheContainersPages() throws Exception {
        fake.pageSizes = 0x10000;
        AddressRange range = pages(0, 16, 32);
        assertThat(tracker.start(List.of(range), PAGE)).isEqualTo(0x10000);
        fake.pinned.add(pages(0, 33, 1));

        assertThat(collect(tracker, range)).containsExactly(pages(0, 32, 16));
        assertRefused(Problem.BAD_RANGE, () -> tracker.collect(pages(0, 17, 2), new DirtyBitmap(arena, range, PAGE)))
                .contains("pages of 65536 bytes, which it watches by");
    }

    @ParameterizedTest
    @CsvSource({
        "ENOTTY, UNSUPPORTED, is not supported; use another source of dirty pages: ENOTTY (25)",
        "EBADF, FOREIGN, the fd is closed; open it again: EBADF (9)",
        "ENOMEM, FAILED, VFIO_IOMMU_DIRTY_PAGES_FLAG_START failed: ENOMEM (12)",
    })
    void shouldSayWhyItCannotStart(Errno error, Problem problem, String message) throws Exception {
        fake.startResult = error.negated();

        assertRefused(problem, () -> tracker.start(List.of(ALL), PAGE)).endsWith(message);

        tracker.stop();
        tracker.close();
        assertThat(fake.calls).containsExactly("start");
    }

    @Test
    void shouldStopWhenClosedAndSayWhatFails() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        assertRefused(Problem.BUSY, () -> tracker.start(List.of(ALL), PAGE)).contains("it watches already");
        tracker.close();
        tracker.close();
        assertThat(fake.calls).containsExactly("start", "stop");
        tracker.start(List.of(ALL), PAGE);
        fake.stopResult = Errno.EINVAL.negated();
        assertRefused(Problem.FAILED, tracker::stop).endsWith("stopping failed: EINVAL (22)");
        tracker.stop();
    }
}
