// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** How soon one thing follows the other while the virtual machine runs, in simulated time. */
@ExtendWith(LeakCheck.class)
class PreCopyTimingTest {
    private static final MigrationParameters PARAMETERS =
            SimulatedPair.parameters(Duration.ofSeconds(5)).build();

    /** No multiple of what a handler waits for that has run dry. */
    private static final long ANSWER_NANOS = 7 * SimulatedWorld.MILLI;

    private final SimulatedPair pair = new SimulatedPair(1);

    /** Has one piece, and wants to know that it has come. */
    private class Asking extends TextHandler {
        final List<Long> pieces = new ArrayList<>();
        long began;
        long quiesced;

        Asking() {
            super("asking", "all there is");
        }

        @Override
        public void saveSetup() {
            began = pair.world.now();
        }

        @Override
        public boolean iterates() {
            return true;
        }

        @Override
        public void pending(long thresholdBytes, Precision precision, Pending pending) {
            pending.preCopyBytes(pieces.isEmpty() ? text.length() : 0).acksWanted(1);
        }

        @Override
        public boolean iterate(StateOutput out) throws IOException {
            if (!pieces.isEmpty()) {
                return false;
            }
            pieces.add(pair.world.now());
            super.complete(out);
            return true;
        }

        @Override
        public void complete(StateOutput out) {}

        @Override
        public void quiesce() {
            quiesced = pair.world.now();
        }
    }

    @Test
    void shouldStopAsSoonAsTheLastAcknowledgementHasCome() {
        List<Long> answered = new ArrayList<>();
        Asking here = new Asking();
        TextHandler there = new TextHandler("asking", "") {
            @Override
            public void initialLoaded() {
                pair.world.await(pair.world.now() + ANSWER_NANOS, () -> false);
                answered.add(pair.world.now());
            }
        };

        pair.migrate(List.of(here), List.of(there), PARAMETERS, SwitchoverPolicy.STANDARD)
                .completed();

        assertThat(answered).hasSize(1);
        assertThat(here.quiesced - answered.getFirst()).isBetween(0L, SimulatedWorld.MILLI);
    }

    @Test
    void shouldSendAsSoonAsSavingHasBegun() {
        Asking here = new Asking();

        pair.migrate(List.of(here), List.of(new TextHandler("asking", "")), PARAMETERS, SwitchoverPolicy.STANDARD)
                .completed();

        assertThat(here.pieces.getFirst() - here.began).isBetween(0L, SimulatedWorld.MILLI);
    }
}
