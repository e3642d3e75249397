// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import java.io.IOException;
import java.util.List;
import java.util.stream.LongStream;

/**
 * When a migration was where, as the test devices themselves saw it: the same clock and the same meaning for all peers.
 *
 * @param begin the first source was in PRE_COPY
 * @param stop the first source was in PRE_COPY_P2P
 * @param end the last destination was in RUNNING; of a migration to a file, the last source in STOP again
 */
record Referee(long begin, long stop, long end) {

    /** Looks into the devices' logs, which begin with this migration. */
    static Referee of(List<Testdev> sources, List<Testdev> destinations, boolean toFile) throws IOException {
        long begin = LongStream.of(Testdev.times(sources, "arc RUNNING PRE_COPY"))
                .min()
                .orElseThrow();
        long stop = LongStream.of(Testdev.times(sources, "arc PRE_COPY PRE_COPY_P2P"))
                .min()
                .orElseThrow();
        long[] ends = toFile
                ? Testdev.times(sources, "arc STOP_COPY STOP")
                : Testdev.times(destinations, "arc RUNNING_P2P RUNNING");
        if (begin < 0 || stop < 0 || LongStream.of(ends).anyMatch(each -> each < 0)) {
            throw new IOException("a device's log does not have the whole migration:\n"
                    + sources.getFirst().get("log"));
        }
        return new Referee(begin, stop, LongStream.of(ends).max().orElseThrow());
    }
}
