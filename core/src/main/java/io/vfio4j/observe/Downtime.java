// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/**
 * How long the devices were stopped, or will be, and what takes the time: the parts follow each other without a gap on
 * the source's clock, so that they sum up to the whole. All in nanoseconds.
 *
 * @param stopVm the virtual machine's own stop
 * @param quiesce {@code PRE_COPY → PRE_COPY_P2P}
 * @param stopCopy {@code → STOP_COPY}
 * @param drain reading and sending what was left
 * @param load the last frames' flight, and the destination's load up to STOP
 * @param resume COMMIT's flight, the destination's {@code → RUNNING} and its answer; 0 for a file
 */
public record Downtime(long stopVm, long quiesce, long stopCopy, long drain, long load, long resume) {
    /**
     * Returns the whole, from the request to stop the virtual machine to the answer RUNNING.
     *
     * @return nanoseconds, saturated at {@link Long#MAX_VALUE}
     */
    public long total() {
        // A forecast's drain may be endless.
        long total = stopVm + quiesce + stopCopy + drain + load + resume;
        return total < 0 ? Long.MAX_VALUE : total;
    }
}
