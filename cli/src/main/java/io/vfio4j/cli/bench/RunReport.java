// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.observe.Downtime;

/**
 * What one run did: a migration, or the source's part of one.
 *
 * @param preCopyBytes how many bytes went while the device ran
 * @param stopCopyBytes how many went while it was stopped
 * @param rounds how many rounds of pre-copy there were; 0 where none are counted
 * @param bytesPerSecond pre-copy's rate while data moved; 0 where too little went
 * @param predictedNanos the downtime that was predicted; -1 where none was
 * @param downtime the real one, with its parts
 * @param timeline bytes and phases over time
 */
public record RunReport(
        long preCopyBytes,
        long stopCopyBytes,
        int rounds,
        long bytesPerSecond,
        long predictedNanos,
        Downtime downtime,
        Timeline timeline) {

    /**
     * Makes the source's part of a run out of a copy to nowhere.
     *
     * @param copy the copy
     * @return the run; its downtime ends when all has been read
     */
    public static RunReport ofSource(CopyReport copy) {
        return new RunReport(
                copy.preCopy().bytes(),
                copy.stopCopy().bytes(),
                0,
                copy.preCopy().readRate(),
                -1,
                new Downtime(0, copy.quiesceNanos(), copy.stopNanos(), copy.drainNanos(), 0, 0),
                copy.timeline());
    }
}
