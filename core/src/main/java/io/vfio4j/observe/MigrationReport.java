// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an outgoing migration did.
 *
 * @param preCopyBytes how many bytes of state went while the device ran
 * @param stopCopyBytes how many went while it was stopped
 * @param rounds how many rounds of pre-copy there were
 * @param preCopyNanos how long pre-copy took, in nanoseconds
 * @param totalNanos how long all took, in nanoseconds
 * @param preCopyBytesPerSecond pre-copy's rate while data moved
 * @param predicted the downtime that was predicted when the switchover was decided, with its parts; null without
 *     pre-copy
 * @param downtime the real one, with its parts
 * @param after what went when the destination ran already
 * @param handlers what each handler did
 */
public record MigrationReport(
        long preCopyBytes,
        long stopCopyBytes,
        int rounds,
        long preCopyNanos,
        long totalNanos,
        long preCopyBytesPerSecond,
        @Nullable Downtime predicted,
        Downtime downtime,
        AfterSwitchover after,
        List<HandlerReport> handlers) {
    /** Copies the list. */
    public MigrationReport {
        handlers = List.copyOf(handlers);
    }

    /**
     * Returns the downtime that was predicted when the switchover was decided.
     *
     * @return nanoseconds; -1 without pre-copy
     */
    public long predictedDowntimeNanos() {
        return predicted == null ? -1 : predicted.total();
    }

    /**
     * Returns how many bytes of state went in all.
     *
     * @return bytes
     */
    public long totalBytes() {
        return preCopyBytes + stopCopyBytes + after.bytes();
    }
}
