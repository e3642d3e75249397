// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.observe.Phase;
import io.vfio4j.observe.PhaseReport;
import org.junit.jupiter.api.Test;

class PhaseTimesTest {
    private long now = 1_000;
    private long bytes;
    private final PhaseTimes times = new PhaseTimes(() -> now, () -> bytes);

    private void pass(long nanos, long sent) {
        now += nanos;
        bytes += sent;
    }

    @Test
    void shouldKnowNothingBeforeTheFirstPhase() {
        pass(5, 0);
        assertThat(times.reports()).isEmpty();
    }

    @Test
    void shouldCountThePhaseThatItIsIn() {
        times.enter(Phase.SETUP);
        pass(10, 0);
        times.enter(Phase.PRE_COPY);
        pass(20, 300);
        assertThat(times.reports())
                .containsExactly(new PhaseReport(Phase.SETUP, 10, 0), new PhaseReport(Phase.PRE_COPY, 20, 300));
        pass(1, 2);
        assertThat(times.reports()).contains(new PhaseReport(Phase.PRE_COPY, 21, 302));
    }

    @Test
    void shouldAddUpAPhaseThatItComesBackTo() {
        times.enter(Phase.PRE_COPY);
        pass(10, 100);
        times.enter(Phase.STOP_COPY);
        pass(1, 0);
        times.enter(Phase.PRE_COPY);
        pass(20, 200);
        times.enter(Phase.STOP_COPY);
        pass(2, 7);
        assertThat(times.reports())
                .containsExactly(new PhaseReport(Phase.PRE_COPY, 30, 300), new PhaseReport(Phase.STOP_COPY, 3, 7));
    }

    @Test
    void shouldCountNothingAfterTheEnd() {
        for (Phase end : new Phase[] {Phase.COMPLETED, Phase.FAILED, Phase.IN_DOUBT}) {
            PhaseTimes ended = new PhaseTimes(() -> now, () -> bytes);
            ended.enter(Phase.HANDOVER);
            pass(10, 1);
            ended.enter(end);
            pass(100, 100);
            assertThat(ended.reports()).containsExactly(new PhaseReport(Phase.HANDOVER, 10, 1));
        }
    }
}
