// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.io.IOException;

/** Something that migrates devices. */
interface Peer {
    /**
     * What one migration came to, by the peer's own account.
     *
     * @param note why it did not complete, or empty
     * @param preCopyBytes sent while the devices ran
     * @param preCopyNanos how long that took
     * @param stopCopyBytes sent thereafter
     * @param downtimeNanos how long that and the handover took, or -1
     * @param source what its source used
     * @param destination what its destination used; nothing without one
     */
    record Outcome(
            String note,
            long preCopyBytes,
            long preCopyNanos,
            long stopCopyBytes,
            long downtimeNanos,
            Usage source,
            Usage destination) {}

    /** What it is called in tables. */
    String name();

    /** Whether it can do this at all. */
    boolean takesPart(Scenario scenario);

    /** Migrates once. */
    Outcome run(Stage stage) throws IOException, InterruptedException;
}
