// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** When handlers are asked what they have left, with which threshold, and what becomes of their answers. */
@ExtendWith(LeakCheck.class)
class ThresholdTest {
    private static final long UNMEASURED = Bandwidth.UNMEASURED_BYTES_PER_SECOND;

    private final SimulatedPair pair = new SimulatedPair(1);

    private static MigrationParameters.Builder parameters() {
        return MigrationParameters.builder()
                .chunkBytes(4096)
                .chunks(12)
                .overlap(Overlap.OFF)
                .downtimeLimit(Duration.ofSeconds(10));
    }

    /** Has some pieces for pre-copy, and keeps what it is asked. */
    private static class Asked extends TextHandler {
        final List<String> order = new ArrayList<>();
        final List<Long> thresholds = new ArrayList<>();
        final int pieces;
        int sent;

        Asked(String name, int pieces) {
            super(name, "a piece");
            this.pieces = pieces;
        }

        @Override
        public boolean iterates() {
            return true;
        }

        @Override
        public void pending(long thresholdBytes, Precision precision, Pending pending) {
            order.add(precision.name());
            thresholds.add(thresholdBytes);
            pending.preCopyBytes((long) text.length() * (pieces - sent));
        }

        @Override
        public boolean iterate(StateOutput out) throws IOException {
            if (sent == pieces) {
                return false;
            }
            order.add("piece");
            sent++;
            complete(out);
            return true;
        }

        @Override
        public void quiesce() {
            order.add("quiesce");
        }
    }

    private TwoSides.Outcome migrate(List<? extends StateHandler> from, MigrationParameters parameters) {
        return migrate(from, parameters, SwitchoverPolicy.STANDARD);
    }

    private TwoSides.Outcome migrate(
            List<? extends StateHandler> from, MigrationParameters parameters, SwitchoverPolicy policy) {
        List<TextHandler> to = from.stream()
                .map(handler -> new TextHandler(handler.name(), ""))
                .toList();
        return pair.migrate(from, to, parameters, policy);
    }

    @Test
    void shouldSayHowMuchFitsIntoTheDowntimeLimitAtTheMeasuredRate() {
        Asked one = new Asked("one", 3);
        Asked other = new Asked("other", 5);

        migrate(List.of(one, other), parameters().build()).completed();

        // Nothing has gone yet that could have been measured, so both hear the same.
        assertThat(one.thresholds.getFirst()).isEqualTo(10 * UNMEASURED);
        assertThat(other.thresholds.getFirst()).isEqualTo(10 * UNMEASURED);
    }

    @Test
    void shouldFollowALimitThatIsChangedMeanwhile() {
        Asked asked = new Asked("text", 3) {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                if (sent == 1) {
                    pair.outgoing().limits(pair.outgoing().limits().withDowntimeLimit(Duration.ofSeconds(20)));
                }
                return super.iterate(out);
            }
        };

        migrate(List.of(asked), parameters().build()).completed();

        assertThat(asked.thresholds).startsWith(10 * UNMEASURED, 10 * UNMEASURED, 20 * UNMEASURED);
    }

    @Test
    void shouldKeepToTheOldLimitsWhenNewOnesAreOutOfRange() {
        List<Integer> refused = new ArrayList<>();
        Asked asked = new Asked("text", 3) {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                MigrationLimits limits = pair.outgoing().limits();
                assertThatThrownBy(() -> pair.outgoing().limits(limits.withDowntimeLimit(Duration.ZERO)))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("downtimeLimit is more than 0 and at most 86400 s, not PT0S");
                assertThat(pair.outgoing().limits()).isSameAs(limits);
                refused.add(sent);
                return super.iterate(out);
            }
        };

        migrate(List.of(asked), parameters().build()).completed();

        assertThat(refused).isNotEmpty();
        assertThat(asked.thresholds).containsOnly(10 * UNMEASURED);
    }

    @Test
    void shouldEstimateAfterEachPieceAndAskExactlyAtTheEndOfARound() {
        Asked asked = new Asked("text", 3);

        // No switchover before all has gone.
        migrate(
                        List.of(asked),
                        parameters().build(),
                        (forecast, limits) -> forecast.pendingBytes() == 0
                                ? SwitchoverPolicy.Decision.SWITCH_OVER
                                : SwitchoverPolicy.Decision.CONTINUE)
                .completed();

        assertThat(asked.order)
                .startsWith("EXACT", "piece", "ESTIMATE", "piece", "ESTIMATE", "piece", "ESTIMATE", "EXACT")
                .endsWith("EXACT", "quiesce", "FINAL")
                .containsOnlyOnce("FINAL");
    }

    @Test
    void shouldNotAskAHandlerThatHasNothingToSave() {
        Asked inactive = new Asked("inactive", 5) {
            @Override
            public boolean isActive() {
                return false;
            }
        };
        Asked active = new Asked("active", 3);

        migrate(List.of(inactive, active), parameters().build()).completed();

        assertThat(inactive.order).containsExactly("quiesce");
        assertThat(inactive.calls).isEmpty();
        assertThat(active.order).contains("FINAL");
    }

    @Test
    void shouldAddUpWhatAllHandlersSay() {
        List<Forecast> forecasts = new ArrayList<>();
        Asked one = new Asked("one", 0) {
            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.requiredBytes(1).preCopyBytes(20).stoppedBytes(300).laterBytes(50_000);
            }
        };
        Asked other = new Asked("other", 0) {
            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.requiredBytes(2).preCopyBytes(40).stoppedBytes(600).laterBytes(50_000);
            }
        };

        migrate(List.of(one, other), parameters().build(), (forecast, limits) -> {
                    forecasts.add(forecast);
                    return SwitchoverPolicy.Decision.SWITCH_OVER;
                })
                .completed();

        assertThat(forecasts).isNotEmpty().allSatisfy(forecast -> {
            assertThat(forecast.requiredBytes()).isEqualTo(3);
            // What can go after the switchover is no part of the downtime.
            assertThat(forecast.pendingBytes()).isEqualTo(963);
            assertThat(forecast.isReady()).isFalse();
        });
    }

    @Test
    void shouldNotSwitchOverWhileOneHandlerHasRequiredBytes() {
        List<Boolean> ranWhenSent = new ArrayList<>();
        Asked slow = new Asked("slow", 30) {
            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.requiredBytes(pieces - sent);
            }

            @Override
            public boolean iterate(StateOutput out) throws IOException {
                ranWhenSent.add(pair.sourceVm.runs());
                pair.world.sleep(SimulatedWorld.SECOND);
                return super.iterate(out);
            }
        };
        Asked ready = new Asked("ready", 0);

        migrate(List.of(slow, ready), parameters().build()).completed();

        assertThat(slow.sent).isEqualTo(30);
        assertThat(ranWhenSent).hasSizeGreaterThanOrEqualTo(30).containsOnly(true);
    }

    @Test
    void shouldNotSwitchOverBeforeTheDestinationIsReady() {
        List<String> events = new ArrayList<>();
        Asked asked = new Asked("text", 1) {
            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.acksWanted(1);
            }

            @Override
            public void quiesce() {
                events.add("quiesce");
            }
        };
        TextHandler there = new TextHandler("text", "") {
            @Override
            public void initialLoaded() {
                // Long after the source has nothing left to send.
                pair.world.sleep(20 * SimulatedWorld.SECOND);
                events.add("ready, and the source " + (pair.sourceVm.runs() ? "runs" : "is stopped"));
            }
        };

        pair.migrate(List.of(asked), List.of(there), parameters().build(), SwitchoverPolicy.STANDARD)
                .completed();

        assertThat(events).containsExactly("ready, and the source runs", "quiesce");
    }

    /** The whole of a device's pre-copy is not in another's way: each has its own connection, thread and rate. */
    @Test
    void shouldNotHoldOneHandlerBackByAnotherThatIsSlowThere() {
        int enough = 50;
        TextHandler fastThere = new TextHandler("fast", "") {
            private int loaded;

            @Override
            public void load(PooledBuffer chunk) {
                loaded++;
                if (loaded == enough) {
                    pair.outgoing().limits(pair.outgoing().limits().withWhenNotConverging(NotConverging.SWITCH_OVER));
                }
                calls.add("load");
            }
        };
        TextHandler slowThere = new TextHandler("slow", "") {
            @Override
            public void load(PooledBuffer chunk) throws IOException {
                pair.world.await(Long.MAX_VALUE, () -> fastThere.calls.size() >= enough);
                super.load(chunk);
            }
        };

        pair.migrate(
                        List.of(new ChangingHandler("slow"), new ChangingHandler("fast")),
                        List.of(slowThere, fastThere),
                        parameters()
                                .maxPreCopyBytes(1)
                                .whenNotConverging(NotConverging.KEEP_GOING)
                                .build(),
                        SwitchoverPolicy.STANDARD)
                .completed();

        assertThat(slowThere.text).isEqualTo("always new");
        assertThat(pair.sourceEvents.phases).endsWith(Phase.HANDOVER, Phase.COMPLETED);
    }

    /** A destination whose device takes its time has no more in memory than its pool; the source waits. */
    @Test
    void shouldHoldTheSourceBackWhenTheDestinationIsSlow() {
        List<Integer> ahead = new ArrayList<>();
        ChangingHandler bulk = new ChangingHandler("bulk") {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                iterations.incrementAndGet();
                PooledBuffer chunk = out.acquire();
                chunk.length(chunk.capacity());
                out.send(chunk);
                return true;
            }
        };
        TextHandler there = new TextHandler("bulk", "") {
            private int loaded;

            @Override
            public void load(PooledBuffer chunk) {
                pair.world.sleep(100 * SimulatedWorld.MILLI);
                ahead.add(bulk.iterations.get() - loaded);
                loaded++;
            }
        };

        pair.migrate(
                        List.of(bulk),
                        List.of(there),
                        parameters()
                                .chunks(4)
                                .maxPreCopyBytes(100 * 4096)
                                .whenNotConverging(NotConverging.SWITCH_OVER)
                                .build(),
                        SwitchoverPolicy.STANDARD)
                .completed();

        // What the connection holds, one that is being sent, one that is being loaded.
        int most = SimulatedNetwork.CAPACITY / 4096 + 2;
        assertThat(ahead).hasSizeGreaterThanOrEqualTo(100).allMatch(chunks -> chunks <= most);
    }
}
