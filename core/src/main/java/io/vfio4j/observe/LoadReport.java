// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

import java.util.List;

/**
 * What an incoming migration did.
 *
 * @param bytes how many bytes of state were loaded
 * @param receiveNanos how long they took to come, in nanoseconds
 * @param loadNanos how long {@code RESUMING → STOP} took, with the driver's check, in nanoseconds
 * @param resumeNanos how long {@code → RUNNING} took, with the virtual machine's resume, in nanoseconds
 * @param after what came when all ran here already
 * @param handlers what each handler did, in the source's order
 */
public record LoadReport(
        long bytes,
        long receiveNanos,
        long loadNanos,
        long resumeNanos,
        AfterSwitchover after,
        List<HandlerLoadReport> handlers) {
    /** Copies the list. */
    public LoadReport {
        handlers = List.copyOf(handlers);
    }
}
