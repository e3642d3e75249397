// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/** In which order test devices went down and up, by their own logs, which all have the kernel's one clock. */
final class PeerToPeerOrder {
    private static final Set<String> QUIESCED = Set.of("arc PRE_COPY PRE_COPY_P2P", "arc RUNNING RUNNING_P2P");
    private static final Set<String> STOPPED = Set.of("arc PRE_COPY_P2P STOP_COPY", "arc RUNNING_P2P STOP");

    private PeerToPeerOrder() {}

    /** Fails unless all were kept from peer-to-peer DMA before any was stopped. */
    static void assertDownInTwoSteps(List<Mdev> devices) throws IOException {
        assertThat(Collections.max(lastTimes(devices, QUIESCED)))
                .isLessThan(Collections.min(lastTimes(devices, STOPPED)));
    }

    /** Fails unless all ran without peer-to-peer DMA before any ran with it. */
    static void assertUpInTwoSteps(List<Mdev> devices) throws IOException {
        assertThat(Collections.max(lastTimes(devices, Set.of("arc STOP RUNNING_P2P"))))
                .isLessThan(Collections.min(lastTimes(devices, Set.of("arc RUNNING_P2P RUNNING"))));
    }

    private static List<Long> lastTimes(List<Mdev> devices, Set<String> events) throws IOException {
        List<Long> times = new ArrayList<>();
        for (Mdev each : devices) {
            times.add(each.timeOfLast(events));
        }
        return times;
    }
}
