// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.migration.Simulation.HandlerFault;
import io.vfio4j.migration.Simulation.NetworkFault;
import io.vfio4j.testing.LeakCheck;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Both sides of a migration over a simulated network and clock, with a fault at every message and in every call.
 *
 * <p>A failure prints its seed; {@code -Dvfio4j.simulation=SEED} runs the random schedule of that seed alone.
 */
@ExtendWith(LeakCheck.class)
class SimulationTest {
    private static final int RANDOM_SCHEDULES = 1_000;
    private static final List<NetworkFault> NETWORK_FAULTS = List.of(NetworkFault.values());
    private static final List<HandlerFault> HANDLER_FAULTS = List.of(HandlerFault.values());

    private final Map<String, Integer> outcomes = new TreeMap<>();

    /** What goes wrong in a schedule. */
    @FunctionalInterface
    private interface Plan {
        void addTo(Simulation simulation);
    }

    private Simulation run(long seed, String what, Plan plan) throws Exception {
        Simulation simulation = new Simulation(seed);
        try (simulation) {
            plan.addTo(simulation);
            simulation.run();
        } catch (AssertionError e) {
            throw new AssertionError(what + ", seed " + seed + ": " + e.getMessage() + "\n" + simulation.trace(), e);
        }
        outcomes.merge(simulation.outcome(), 1, Integer::sum);
        return simulation;
    }

    @Test
    void shouldCompleteWhenNothingGoesWrong() throws Exception {
        for (int seed = 0; seed < 50; seed++) {
            assertThat(run(seed, "nothing", simulation -> {}).completed())
                    .as("seed %d", seed)
                    .isTrue();
        }
    }

    @Test
    void shouldRunTheSameWayWhenItIsRunAgain() throws Exception {
        for (int seed = 0; seed < 20; seed++) {
            Plan plan = randomPlan(seed);
            assertThat(run(seed, "again", plan).traceHash())
                    .isEqualTo(run(seed, "again", plan).traceHash());
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldAccountForBothSidesAtEveryMessage(NetworkFault fault) throws Exception {
        int messages = run(1, "nothing", simulation -> {}).messages();
        for (int message = 1; message <= messages; message++) {
            int at = message;
            for (int seed = 1; seed <= 2; seed++) {
                run(seed, fault + " at message " + at, simulation -> simulation.with(at, fault));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldAccountForBothSidesAtEveryCall(HandlerFault fault) throws Exception {
        Simulation undisturbed = run(1, "nothing", simulation -> {});
        for (int call = 1; call <= undisturbed.callsAtSource(); call++) {
            int at = call;
            run(1, fault + " in call " + at + " at the source", simulation -> simulation.withFaultAtSource(at, fault));
        }
        for (int call = 1; call <= undisturbed.callsAtDestination(); call++) {
            int at = call;
            run(
                    1,
                    fault + " in call " + at + " at the destination",
                    simulation -> simulation.withFaultAtDestination(at, fault));
        }
    }

    @Test
    void shouldAccountForBothSidesWhateverGoesWrongTogether() throws Exception {
        Long only = Long.getLong("vfio4j.simulation");
        long first = only == null ? 1_000 : only;
        long end = only == null ? first + RANDOM_SCHEDULES : first + 1;
        for (long seed = first; seed < end; seed++) {
            run(seed, "random", randomPlan(seed));
        }
        if (only == null) {
            // Whatever the seeds are, all that a migration can come to is among what they come to.
            assertThat(outcomes)
                    .containsKeys(
                            "completed / completed",
                            "IN_DOUBT / completed",
                            "IN_DOUBT / DEVICE",
                            "CANCELLED / PEER_FAILED",
                            "PEER_FAILED / CANCELLED",
                            "DEVICE / PEER_FAILED",
                            "PEER_FAILED / DEVICE",
                            "TRANSPORT / TRANSPORT");
        }
    }

    private static Plan randomPlan(long seed) {
        return simulation -> {
            Random random = new Random(~seed);
            if (random.nextInt(4) == 0) {
                simulation.withLateInitialData();
            }
            if (random.nextInt(8) == 0) {
                simulation.withVirtualMachineThatDoesNotStop();
            }
            if (random.nextInt(8) == 0) {
                simulation.withVirtualMachineThatDoesNotResumeThere();
            }
            if (random.nextInt(2) == 0) {
                // Of about 100 messages the last few are the handover.
                int message = random.nextBoolean() ? 1 + random.nextInt(120) : 85 + random.nextInt(20);
                simulation.with(message, oneOf(random, NETWORK_FAULTS));
            }
            if (random.nextInt(3) == 0) {
                simulation.withFaultAtSource(1 + random.nextInt(120), oneOf(random, HANDLER_FAULTS));
            }
            if (random.nextInt(3) == 0) {
                simulation.withFaultAtDestination(1 + random.nextInt(120), oneOf(random, HANDLER_FAULTS));
            }
        };
    }

    private static <T> T oneOf(Random random, List<T> choices) {
        return choices.get(random.nextInt(choices.size()));
    }
}
