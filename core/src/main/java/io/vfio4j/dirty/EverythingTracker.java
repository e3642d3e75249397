// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import java.util.List;
import java.util.Set;

/** Calls every page dirty, each time: the last resort where nothing watches. */
public final class EverythingTracker extends RangeTracker {
    private static final Collected NOTHING_WATCHES =
            new Collected("nothing watches this memory: everything in it counts as dirty");

    /** Makes a tracker that does not watch yet. */
    public EverythingTracker() {
        super(new Capability(
                "everything",
                Set.of(Writer.GUEST_CPU, Writer.DEVICE, Writer.THIS_PROCESS),
                true,
                "nothing to collect, and all memory to send again"));
    }

    @Override
    long begin(List<AddressRange> sorted, long pageSizeHint) {
        return pageSizeHint;
    }

    @Override
    Collected report(AddressRange range, DirtyBitmap into) {
        return NOTHING_WATCHES;
    }

    @Override
    int end() {
        return 0;
    }
}
