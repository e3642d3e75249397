// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.vfio.ContainerFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import java.util.ArrayList;
import java.util.List;

/** Chooses how the DMA of devices is watched. */
public final class DirtyTracking {
    private DirtyTracking() {}

    /**
     * A device whose DMA is to be watched.
     *
     * @param name what to call it in messages
     * @param fd the device
     */
    public record Device(String name, DeviceFd fd) {}

    /** What maps memory for the devices. */
    public sealed interface Mapping {
        /**
         * An iommufd.
         *
         * @param iommufd the iommufd
         * @param hwptId the page table that all the devices are attached to
         */
        record PageTable(IommuFd iommufd, int hwptId) implements Mapping {}

        /**
         * A container with a type1 IOMMU.
         *
         * @param container the container
         * @param name what to call it in messages
         */
        record Type1(ContainerFd container, String name) implements Mapping {}

        /** Nothing that could tell. */
        record Unknown() implements Mapping {}
    }

    /**
     * What was chosen.
     *
     * @param tracker the tracker; the caller closes it
     * @param reasons why it, and why none that would have been better, a sentence each
     */
    public record Selection(DirtyTracker tracker, List<String> reasons) {
        /** Keeps a copy of the list. */
        public Selection {
            reasons = List.copyOf(reasons);
        }
    }

    /**
     * Chooses the best source that there is: the devices' own logs when each device has one, else the IOMMU's dirty
     * bits or the container's pinned pages, else everything. The page size granted is what {@link DirtyTracker#start}
     * returns; that a log cannot be read shows in {@link Collected} only.
     *
     * @param devices the devices
     * @param mapping what maps memory for them
     * @return the tracker and the reasons
     */
    public static Selection select(List<Device> devices, Mapping mapping) {
        List<String> reasons = new ArrayList<>();
        List<String> without = devices.stream()
                .filter(device -> !DeviceDmaTracker.isSupported(device.fd()))
                .map(Device::name)
                .toList();
        if (!devices.isEmpty() && without.isEmpty()) {
            reasons.add("each device logs its own DMA");
            return new Selection(
                    new UnionTracker(devices.stream()
                            .map(device -> new DeviceDmaTracker(device.fd(), device.name()))
                            .toList()),
                    reasons);
        }
        reasons.add(
                devices.isEmpty()
                        ? "there is no device to log its own DMA"
                        : "no DMA logging in " + String.join(", ", without));
        return new Selection(
                switch (mapping) {
                    case Mapping.PageTable table -> ofPageTable(table, reasons);
                    case Mapping.Type1 type1 -> ofType1(type1, reasons);
                    case Mapping.Unknown ignored -> everything("nothing that maps memory could tell", reasons);
                },
                reasons);
    }

    private static DirtyTracker ofPageTable(Mapping.PageTable table, List<String> reasons) {
        IommufdTracker tracker = new IommufdTracker(table.iommufd(), table.hwptId());
        int result = tracker.probe();
        if (result < 0) {
            tracker.close();
            return everything(
                    "page table " + table.hwptId() + " has no dirty bits (" + Errno.describe(result) + ")", reasons);
        }
        reasons.add("page table " + table.hwptId() + " has dirty bits");
        return tracker;
    }

    private static DirtyTracker ofType1(Mapping.Type1 type1, List<String> reasons) {
        if (!Type1Tracker.isSupported(type1.container())) {
            return everything("container " + type1.name() + " does not track dirty pages", reasons);
        }
        reasons.add("container " + type1.name() + " tells which pages could have been written");
        return new Type1Tracker(type1.container(), type1.name());
    }

    private static DirtyTracker everything(String because, List<String> reasons) {
        reasons.add(because);
        reasons.add("so everything counts as dirty, each time");
        return new EverythingTracker();
    }
}
