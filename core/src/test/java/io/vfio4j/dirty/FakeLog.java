// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingControl;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingRange;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureDmaLoggingReport;
import io.vfio4j.testing.DirtyPages;
import io.vfio4j.testing.ScriptedLibC;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A device with a DMA log, as the strictest of the drivers has it. Records what reaches the kernel. */
final class FakeLog implements ScriptedLibC.Ioctls {
    /** What a REPORT asks for. */
    record Report(AddressRange range, long pageSize) {}

    /** The ranges of each START, also of those that failed. */
    final List<List<AddressRange>> starts = new ArrayList<>();

    /** The page size of each START. */
    final List<Long> hints = new ArrayList<>();

    final List<Report> reports = new ArrayList<>();
    final List<AddressRange> written = new ArrayList<>();
    final Deque<Errno> startErrors = new ArrayDeque<>();

    /** Which REPORTs fail, counted from 0. */
    final Map<Integer, Errno> reportErrors = new HashMap<>();

    int mostRanges = 256;
    int probeResult;
    int stopResult;
    int stops;
    long granted = DirtyPages.PAGE;
    List<AddressRange> logged = List.of();

    private static final ScriptedLibC LIBC = new ScriptedLibC();

    /** A device that this answers for. */
    DeviceFd device(int fd) {
        LIBC.script(fd, this);
        return new DeviceFd(LIBC, fd);
    }

    @Override
    public int answer(long request, MemorySegment argument) {
        assertThat(request).isEqualTo(Vfio.VFIO_DEVICE_FEATURE);
        int flags = VfioDeviceFeature.FLAGS.get(argument);
        assertThat(VfioDeviceFeature.ARGSZ.get(argument)).isEqualTo((int) argument.byteSize());
        MemorySegment payload = VfioDeviceFeature.DATA.of(argument);
        return switch (flags) {
            case Vfio.VFIO_DEVICE_FEATURE_PROBE
                    | Vfio.VFIO_DEVICE_FEATURE_SET
                    | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START -> {
                assertThat(argument.byteSize()).isEqualTo(8);
                yield probeResult;
            }
            case Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START -> start(payload);
            case Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP -> {
                assertThat(argument.byteSize()).isEqualTo(8);
                stops++;
                logged = List.of();
                yield stopResult;
            }
            case Vfio.VFIO_DEVICE_FEATURE_GET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT -> report(payload);
            default -> throw new AssertionError("flags 0x" + Integer.toHexString(flags));
        };
    }

    private int start(MemorySegment control) {
        assertThat(control.byteSize()).isEqualTo(24);
        assertThat(control.get(ValueLayout.JAVA_INT, 12)).as("reserved").isZero();
        int count = VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.get(control);
        MemorySegment array = Dirty.at(VfioDeviceFeatureDmaLoggingControl.RANGES.get(control), count * 16L);
        List<AddressRange> ranges = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            MemorySegment range = array.asSlice(i * 16L, 16);
            ranges.add(new AddressRange(
                    VfioDeviceFeatureDmaLoggingRange.IOVA.get(range),
                    VfioDeviceFeatureDmaLoggingRange.LENGTH.get(range)));
        }
        starts.add(ranges);
        hints.add(VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.get(control));
        Errno error = startErrors.poll();
        if (error != null) {
            return error.negated();
        }
        if (count > mostRanges) {
            return Errno.E2BIG.negated();
        }
        if (!logged.isEmpty()) {
            return Errno.EBUSY.negated();
        }
        logged = ranges;
        VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(control, granted);
        return 0;
    }

    private int report(MemorySegment payload) {
        assertThat(payload.byteSize()).isEqualTo(32);
        AddressRange range = new AddressRange(
                VfioDeviceFeatureDmaLoggingReport.IOVA.get(payload),
                VfioDeviceFeatureDmaLoggingReport.LENGTH.get(payload));
        long pageSize = VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.get(payload);
        reports.add(new Report(range, pageSize));
        Errno error = reportErrors.get(reports.size() - 1);
        if (error != null) {
            return error.negated();
        }
        if (pageSize < DirtyPages.PAGE
                || Long.bitCount(pageSize) != 1
                || logged.stream().noneMatch(each -> each.contains(range))) {
            return Errno.EINVAL.negated();
        }
        for (AddressRange each : written) {
            Dirty.setBits(VfioDeviceFeatureDmaLoggingReport.BITMAP.get(payload), range, pageSize, each);
        }
        written.removeIf(range::contains);
        return 0;
    }
}
