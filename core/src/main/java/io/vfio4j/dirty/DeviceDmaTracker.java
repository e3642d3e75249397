// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.Struct;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingControl;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingRange;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingReport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;

/**
 * Watches what one device writes by DMA, by the device's own log: {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_START},
 * {@code _STOP} and {@code _REPORT}.
 *
 * <p>A device takes a few ranges only. Where it takes fewer than asked for, neighbours are joined, the nearest first,
 * until it takes them. The log is the device's: two trackers of one device get in each other's way, and closing the
 * device ends it. A log that could not be read once is corrupt: everything counts as dirty from there on, until the
 * tracker is started anew.
 */
public final class DeviceDmaTracker extends RangeTracker {
    /** The most ranges that the kernel hands to any driver: {@code PAGE_SIZE / sizeof(range)}. */
    private static final int KERNEL_MOST_RANGES = 256;

    private final DeviceFd device;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment report;
    private List<AddressRange> logged = List.of();

    /** What the first REPORT that failed has returned; 0 while none has. */
    private int corrupt;

    /**
     * Makes a tracker that does not watch yet.
     *
     * @param device the device, which stays the caller's
     * @param name what to call it in messages
     */
    public DeviceDmaTracker(DeviceFd device, String name) {
        super(new Capability(
                "device DMA logging of " + name,
                Set.of(Writer.DEVICE),
                false,
                "one ioctl per range; the device's firmware may need milliseconds for it"));
        this.device = device;
        this.report = VfioDeviceFeature.allocate(
                arena,
                Vfio.VFIO_DEVICE_FEATURE_GET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
                VfioDeviceFeatureDmaLoggingReport.STRUCT.size());
    }

    /**
     * Asks whether a device has a log: {@code VFIO_DEVICE_FEATURE_PROBE}. The kernel may still be unable to read it,
     * and then every collection says so.
     *
     * @param device the device
     * @return whether START is known to it
     */
    public static boolean isSupported(DeviceFd device) {
        try (Arena arena = Arena.ofConfined()) {
            return device.feature(VfioDeviceFeature.allocate(
                            arena,
                            Vfio.VFIO_DEVICE_FEATURE_PROBE
                                    | Vfio.VFIO_DEVICE_FEATURE_SET
                                    | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
                            0))
                    >= 0;
        }
    }

    /**
     * Returns what the device was told to log: the ranges watched, or fewer that hold them.
     *
     * @return the ranges; empty while it does not watch
     */
    public List<AddressRange> logged() {
        return logged;
    }

    @Override
    long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException {
        List<AddressRange> folded = sorted;
        try (Arena call = Arena.ofConfined()) {
            MemorySegment start = VfioDeviceFeature.allocate(
                    call,
                    Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
                    VfioDeviceFeatureDmaLoggingControl.STRUCT.size());
            MemorySegment control = VfioDeviceFeature.DATA.of(start);
            int result = start(call, start, control, folded, pageSizeHint);
            while (Errno.E2BIG.is(result) && folded.size() > 1) {
                folded = Ranges.fold(
                        folded, folded.size() > KERNEL_MOST_RANGES ? KERNEL_MOST_RANGES : folded.size() / 2);
                result = start(call, start, control, folded, pageSizeHint);
            }
            if (Errno.EINVAL.is(result)) {
                // The ranges are checked, so it is the device's own idea, or its log runs already.
                throw failure(
                        Problem.FAILED,
                        "starting failed: somebody else logs, or the device does not take pages of " + pageSizeHint
                                + " bytes",
                        result);
            }
            if (Errno.EOVERFLOW.is(result)) {
                throw failure(
                        Problem.BAD_RANGE,
                        "a range ends at the last address of all, which the kernel refuses; end it a page earlier",
                        result);
            }
            if (result < 0) {
                throw refused("starting the log", result);
            }
            long granted = VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.get(control);
            if (Long.bitCount(granted) != 1 || granted < 0) {
                end();
                throw failure(Problem.FAILED, "the device grants pages of " + granted + " bytes, which are none", 0);
            }
            logged = folded;
            corrupt = 0;
            return granted;
        }
    }

    private int start(
            Arena call, MemorySegment start, MemorySegment control, List<AddressRange> ranges, long pageSizeHint) {
        Struct struct = VfioDeviceFeatureDmaLoggingRange.STRUCT;
        MemorySegment array = call.allocate(struct.size() * ranges.size(), struct.alignment());
        for (int i = 0; i < ranges.size(); i++) {
            MemorySegment each = array.asSlice(i * struct.size(), struct.size());
            VfioDeviceFeatureDmaLoggingRange.IOVA.set(each, ranges.get(i).start());
            VfioDeviceFeatureDmaLoggingRange.LENGTH.set(each, ranges.get(i).length());
        }
        VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(control, pageSizeHint);
        VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.set(control, ranges.size());
        VfioDeviceFeatureDmaLoggingControl.RANGES.set(control, array.address());
        return device.feature(start);
    }

    /** One REPORT per range of START: a range of REPORT that is not inside one of them is an error to some drivers. */
    @Override
    Collected report(AddressRange range, DirtyBitmap into) {
        if (corrupt < 0) {
            return new Collected(capability().source() + ": an earlier VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT failed ("
                    + Errno.describe(corrupt)
                    + "), so its log is corrupt until it is started anew: everything counts as dirty");
        }
        Collected collected = Collected.REPORTED;
        for (AddressRange each : logged) {
            if (each.overlaps(range)) {
                collected = collected.and(into.filledByKernel(each.intersect(range), this::reportTo));
            }
        }
        return collected;
    }

    private Collected reportTo(long bits, AddressRange range, DirtyBitmap into) {
        MemorySegment payload = VfioDeviceFeature.DATA.of(report);
        VfioDeviceFeatureDmaLoggingReport.IOVA.set(payload, range.start());
        VfioDeviceFeatureDmaLoggingReport.LENGTH.set(payload, range.length());
        VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.set(payload, into.pageSize());
        VfioDeviceFeatureDmaLoggingReport.BITMAP.set(payload, bits);
        int result = device.feature(report);
        if (result >= 0) {
            return Collected.REPORTED;
        }
        // Of any error the uAPI says that the log is corrupt and all memory must be considered dirty.
        corrupt = result;
        return everything(range, "VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT", result);
    }

    @Override
    int end() {
        logged = List.of();
        try (Arena call = Arena.ofConfined()) {
            return device.feature(VfioDeviceFeature.allocate(
                    call, Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, 0));
        }
    }
}
