// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.device.PrecopyInfo;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;

/** How much of a device to read in PRE_COPY that may change faster than it can be read. */
final class PreCopyLimit {
    private PreCopyLimit() {}

    /**
     * Twice the state, as far as the driver tells how large that is.
     *
     * @return bytes; {@link Long#MAX_VALUE} where it does not
     */
    static long bytes(VfioDevice device, SavingSession session) {
        long state = state(device, session);
        return state == 0 || state > Long.MAX_VALUE / 2 ? Long.MAX_VALUE : 2 * state;
    }

    /** The state's size as the driver tells it at the beginning of PRE_COPY, in bytes; 0 where it does not. */
    static long state(VfioDevice device, SavingSession session) {
        long length = device.stopCopyLength();
        long known = length == VfioDevice.UNKNOWN_STOP_COPY_LENGTH ? 0 : length;
        return Math.max(known, pending(session));
    }

    /** What there is to read now, as far as the driver tells: initial and dirty bytes together. */
    static long pending(SavingSession session) {
        PrecopyInfo info = session.precopyInfo();
        long sum = info.initialBytes() + info.dirtyBytes();
        return sum < 0 ? Long.MAX_VALUE : sum;
    }
}
