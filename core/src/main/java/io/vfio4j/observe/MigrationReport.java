// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

import java.util.List;

/**
 * What an outgoing migration did.
 *
 * @param preCopyBytes how many bytes of state went while the device ran
 * @param stopCopyBytes how many went while it was stopped
 * @param rounds how many rounds of pre-copy there were
 * @param preCopyNanos how long pre-copy took, in nanoseconds
 * @param totalNanos how long all took, in nanoseconds
 * @param preCopyBytesPerSecond pre-copy's rate while data moved
 * @param predictedDowntimeNanos the downtime that was predicted when the switchover was decided; -1 without pre-copy
 * @param downtime the real one, with its parts
 * @param handlers what each handler did
 */
public record MigrationReport(
        long preCopyBytes,
        long stopCopyBytes,
        int rounds,
        long preCopyNanos,
        long totalNanos,
        long preCopyBytesPerSecond,
        long predictedDowntimeNanos,
        Downtime downtime,
        List<HandlerReport> handlers) {
    /** Copies the list. */
    public MigrationReport {
        handlers = List.copyOf(handlers);
    }

    /**
     * Returns how many bytes of state went in all.
     *
     * @return bytes
     */
    public long totalBytes() {
        return preCopyBytes + stopCopyBytes;
    }
}
