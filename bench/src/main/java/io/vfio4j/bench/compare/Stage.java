// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a peer has to work with.
 *
 * @param scenario what is to be done
 * @param sources the lab's source devices; none on the host
 * @param destinations theirs
 * @param dirtyBytesPerSecond how fast each source changes
 * @param downtimeLimitMillis how long the switchover may be
 * @param maxSeconds how long pre-copy may go on for
 * @param folder where files and sockets may be made
 */
record Stage(
        Scenario scenario,
        List<Testdev> sources,
        List<Testdev> destinations,
        long dirtyBytesPerSecond,
        int downtimeLimitMillis,
        int maxSeconds,
        Path folder) {

    /** The file that a migration to a file makes. */
    Path file() {
        return folder.resolve("state");
    }

    /** The socket of a migration over a Unix socket. */
    Path socket() {
        return folder.resolve("socket");
    }

    /** How long any part of a run may take. */
    int patience() {
        return maxSeconds + 300;
    }

    static List<String> cdevs(List<Testdev> devices) throws IOException {
        List<String> cdevs = new ArrayList<>();
        for (Testdev each : devices) {
            cdevs.add(each.cdev());
        }
        return cdevs;
    }
}
