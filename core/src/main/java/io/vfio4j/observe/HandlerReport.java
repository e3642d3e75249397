// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/**
 * What one handler has done in an outgoing migration, so far or in the end.
 *
 * @param name the handler's name
 * @param preCopyBytes how many bytes of its state went with the virtual machine running
 * @param stopCopyBytes how many went in the downtime
 * @param laterBytes how many went when the destination ran already
 * @param rounds how many rounds of pre-copy it had; 0 without
 * @param bytesPerSecond the rate that was measured of it; 0 where too little went
 * @param stalledNanos how long it waited, all in all, for the other side to take what it had; a wait of less than 20 ms
 *     does not count
 * @param setupNanos how long it took to begin to save, in nanoseconds
 * @param preCopyNanos how long it has been in pre-copy, in nanoseconds; waits count
 * @param quiesceNanos how long its first step down took, in nanoseconds
 * @param stopNanos how long its second step down took, in nanoseconds
 * @param drainNanos how long it took to send what was left, in nanoseconds
 */
public record HandlerReport(
        String name,
        long preCopyBytes,
        long stopCopyBytes,
        long laterBytes,
        int rounds,
        long bytesPerSecond,
        long stalledNanos,
        long setupNanos,
        long preCopyNanos,
        long quiesceNanos,
        long stopNanos,
        long drainNanos) {}
