// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.dirty.DirtyTracking.Device;
import io.vfio4j.dirty.DirtyTracking.Mapping;
import io.vfio4j.dirty.DirtyTracking.Selection;
import io.vfio4j.dirty.FakeContainer.Capabilities;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuHwptGetDirtyBitmap;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.testing.ScriptedLibC;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which source is chosen, and why. */
class DirtyTrackingTest {
    private static final AddressRange ALL = pages(0, 0, 8);
    private static final int IOMMUFD = 3;

    private final FakeLog first = new FakeLog();
    private final FakeLog second = new FakeLog();
    private final FakeContainer container = new FakeContainer();
    private final ScriptedLibC libc = new ScriptedLibC();
    private final List<Device> devices =
            List.of(new Device("0000:01:00.0", first.device(1)), new Device("0000:02:00.0", second.device(2)));
    private final Mapping.Type1 type1 = new Mapping.Type1(container.container(4), "17");

    private Mapping.PageTable pageTable(int result) {
        libc.script(IOMMUFD, (request, argument) -> {
            // A look, which switches nothing on or off.
            assertThat(request).isEqualTo(Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP);
            assertThat(IommuHwptGetDirtyBitmap.HWPT_ID.get(argument)).isEqualTo(6);
            assertThat(IommuHwptGetDirtyBitmap.FLAGS.get(argument))
                    .isEqualTo(Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
            return result;
        });
        return new Mapping.PageTable(new IommuFd(libc, IOMMUFD), 6);
    }

    @Test
    void shouldPreferTheLogsOfTheDevicesWhenAllHaveOne() throws Exception {
        for (Mapping mapping : List.of(type1, pageTable(0), new Mapping.Unknown())) {
            Selection selection = DirtyTracking.select(devices, mapping);

            assertThat(selection.reasons()).containsExactly("each device logs its own DMA");
            assertThat(selection.tracker().capability().source())
                    .isEqualTo("device DMA logging of 0000:01:00.0 and device DMA logging of 0000:02:00.0");
            try (DirtyTracker tracker = selection.tracker()) {
                second.granted = 4 * PAGE;
                assertThat(tracker.start(List.of(ALL), PAGE)).isEqualTo(4 * PAGE);
                assertThat(first.logged).containsExactly(ALL);
                assertThat(second.logged).containsExactly(ALL);
            }
            assertThat(first.logged).isEmpty();
            assertThat(second.logged).isEmpty();
        }
        assertThat(container.calls).isEmpty();
    }

    @Test
    void shouldSayThatALogThatIsThereCannotBeRead() throws Exception {
        first.reportErrors.put(0, Errno.EOPNOTSUPP);
        try (DirtyTracker tracker =
                DirtyTracking.select(devices, new Mapping.Unknown()).tracker()) {
            tracker.start(List.of(ALL), PAGE);

            assertThat(collectEverything(tracker, ALL))
                    .isEqualTo("device DMA logging of 0000:01:00.0: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT for "
                            + "0x0-0x7fff failed (EOPNOTSUPP (95)): everything in it counts as dirty");
        }
    }

    @Test
    void shouldUseThePageTableWhenADeviceHasNoLog() {
        second.probeResult = Errno.ENOTTY.negated();

        Selection selection = DirtyTracking.select(devices, pageTable(0));

        assertThat(selection.tracker()).isInstanceOf(IommufdTracker.class);
        assertThat(selection.reasons())
                .containsExactly("no DMA logging in 0000:02:00.0", "page table 6 has dirty bits");
        selection.tracker().close();
    }

    @Test
    void shouldUseTheContainerWhenNoDeviceHasALog() {
        first.probeResult = Errno.ENOTTY.negated();
        second.probeResult = Errno.EINVAL.negated();

        Selection selection = DirtyTracking.select(devices, type1);

        assertThat(selection.tracker()).isInstanceOf(Type1Tracker.class);
        assertThat(selection.reasons())
                .containsExactly(
                        "no DMA logging in 0000:01:00.0, 0000:02:00.0",
                        "container 17 tells which pages could have been written");
        assertThat(container.calls).as("nothing is started by choosing").isEmpty();
        selection.tracker().close();
    }

    @Test
    void shouldCallEverythingDirtyWhenNothingTells() {
        second.probeResult = Errno.ENOTTY.negated();
        container.capabilities = Capabilities.NONE;
        String nothing = "so everything counts as dirty, each time";

        assertThat(everything(pageTable(Errno.EOPNOTSUPP.negated())))
                .containsExactly(
                        "no DMA logging in 0000:02:00.0", "page table 6 has no dirty bits (EOPNOTSUPP (95))", nothing);
        assertThat(everything(type1))
                .containsExactly("no DMA logging in 0000:02:00.0", "container 17 does not track dirty pages", nothing);
        assertThat(everything(new Mapping.Unknown()))
                .containsExactly("no DMA logging in 0000:02:00.0", "nothing that maps memory could tell", nothing);
    }

    private List<String> everything(Mapping mapping) {
        Selection selection = DirtyTracking.select(devices, mapping);
        assertThat(selection.tracker()).isInstanceOf(EverythingTracker.class);
        selection.tracker().close();
        return selection.reasons();
    }

    @Test
    void shouldUseWhatMapsMemoryWhenThereIsNoDevice() {
        Selection selection = DirtyTracking.select(List.of(), type1);

        assertThat(selection.tracker()).isInstanceOf(Type1Tracker.class);
        assertThat(selection.reasons())
                .containsExactly(
                        "there is no device to log its own DMA",
                        "container 17 tells which pages could have been written");
        selection.tracker().close();
    }

    @Test
    void shouldKeepACopyOfTheReasons() {
        List<String> reasons = new ArrayList<>(List.of("because"));
        Selection selection = new Selection(new EverythingTracker(), reasons);
        reasons.clear();

        assertThat(selection.reasons()).containsExactly("because");
        selection.tracker().close();
    }
}
