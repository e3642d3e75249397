// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.vfio4j.migration.Schedule.Fault;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import io.vfio4j.migration.Schedule.Way;
import io.vfio4j.testing.LeakCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Both sides of a migration over a simulated network and clock, with a fault at every message and in every call.
 *
 * <p>What fails says how to run its schedule again, alone.
 */
@ExtendWith(LeakCheck.class)
class SimulationTest {
    private static final int RANDOM_SCHEDULES = 1_000;

    /** Two handlers with three pieces and END, and COMPLETE. */
    private static final int AFTER_SWITCHOVER = 9;

    private static final String ONLY = "vfio4j.simulation";
    private static final long BEGIN = System.nanoTime();

    private static int schedules;

    @AfterAll
    static void sayHowMany() {
        System.out.printf(
                "%d schedules were simulated in %d s%n", schedules, (System.nanoTime() - BEGIN) / 1_000_000_000);
    }

    private static Simulation run(Schedule schedule) throws Exception {
        return run(schedule, Simulation::judge);
    }

    private static Simulation run(Schedule schedule, Consumer<Simulation> judge) throws Exception {
        schedules++;
        Simulation simulation = Simulation.of(schedule);
        try (simulation) {
            simulation.run();
            judge.accept(simulation);
        } catch (AssertionError e) {
            throw new AssertionError(
                    schedule + ": " + e.getMessage()
                            + "; to run it again: -Dtest=SimulationTest#shouldRunTheSameWayWhenItIsRunAgain -D" + ONLY
                            + "=" + schedule + "\n" + simulation.trace(),
                    e);
        }
        return simulation;
    }

    @Test
    void shouldCompleteWhenNothingGoesWrong() throws Exception {
        for (Way way : Way.values()) {
            for (int seed = 0; seed < 50; seed++) {
                Schedule schedule = Schedule.of(way, seed);
                assertThat(run(schedule).completed()).as("%s", schedule).isTrue();
            }
        }
    }

    @Test
    void shouldRunTheSameWayWhenItIsRunAgain() throws Exception {
        String only = System.getProperty(ONLY);
        List<Schedule> chosen = only == null
                ? LongStream.range(0, 20).mapToObj(Schedule::random).toList()
                : List.of(Schedule.parse(only));
        for (Schedule schedule : chosen) {
            assertThat(run(schedule).traceHash())
                    .as("%s", schedule)
                    .isEqualTo(run(schedule).traceHash());
        }
    }

    static Stream<Arguments> shouldAccountForBothSides() {
        return Arrays.stream(Way.values())
                .flatMap(way -> Arrays.stream(Kind.values())
                        .flatMap(kind -> kind.places().stream()
                                .filter(place -> place.isOf(way))
                                .map(place -> Arguments.of(way, kind, place))));
    }

    @ParameterizedTest(name = "by {0} when {1} at each {2}")
    @MethodSource
    void shouldAccountForBothSides(Way way, Kind kind, Place place) throws Exception {
        int places = place == Place.ALL_ALONG ? 1 : run(Schedule.of(way, 1)).count(place);
        assertThat(places).isPositive();
        List<Schedule> incomplete = new ArrayList<>();
        for (int number = 1; number <= places; number++) {
            Fault fault = place == Place.ALL_ALONG ? Fault.allAlong(kind) : new Fault(kind, place, number);
            for (int seed = 1; seed <= seeds(place); seed++) {
                Schedule schedule = Schedule.of(way, seed, fault);
                if (!run(schedule).completed()) {
                    incomplete.add(schedule);
                }
            }
        }
        if (kind.isHarmless()) {
            assertThat(incomplete).isEmpty();
        } else {
            assertThat(incomplete).isNotEmpty();
        }
    }

    /** Where several threads are at work, what happens next to the fault is a matter of chance. */
    private static int seeds(Place place) {
        return switch (place) {
            case ALL_ALONG -> 20;
            case MESSAGE -> 2;
            case SOURCE_CALL, DESTINATION_CALL, SOURCE_DEVICE, DESTINATION_DEVICE, DISK -> 1;
        };
    }

    @Test
    void shouldBeInDoubtWhenTheNetworkIsCutAtTheHandover() throws Exception {
        int messages = run(Schedule.of(Way.CONNECTION, 1)).count(Place.MESSAGE);
        Set<String> outcomes = new TreeSet<>();
        for (int message = messages - AFTER_SWITCHOVER - 3; message <= messages - AFTER_SWITCHOVER; message++) {
            for (int seed = 1; seed <= 5; seed++) {
                outcomes.add(run(Schedule.of(Way.CONNECTION, seed, new Fault(Kind.CUT, Place.MESSAGE, message)))
                        .outcome());
            }
        }
        assertThat(outcomes).contains("TRANSPORT / TRANSPORT", "IN_DOUBT / TRANSPORT", "IN_DOUBT / completed");
    }

    @Test
    void shouldKnowAtBothSidesWhatIsMissingWhenTheNetworkIsCutAfterTheSwitchover() throws Exception {
        Set<String> missing = new TreeSet<>();
        for (int seed = 1; seed <= 5; seed++) {
            int messages = run(Schedule.of(Way.CONNECTION, seed)).count(Place.MESSAGE);
            for (int message = messages - AFTER_SWITCHOVER + 1; message <= messages; message++) {
                Simulation simulation =
                        run(Schedule.of(Way.CONNECTION, seed, new Fault(Kind.CUT, Place.MESSAGE, message)));
                assertThat(simulation.outcome()).isEqualTo("completed / completed");
                missing.add(simulation.source.missing() + " / " + simulation.destination.missing());
            }
        }
        assertThat(missing).contains("[memory, small] / [memory, small]", "[memory, small] / []");
    }

    @Test
    void shouldAccountForBothSidesWhateverGoesWrongTogether() throws Exception {
        Map<String, Integer> outcomes = new TreeMap<>();
        for (long seed = 1_000; seed < 1_000 + RANDOM_SCHEDULES; seed++) {
            outcomes.merge(run(Schedule.random(seed)).outcome(), 1, Integer::sum);
        }
        // Whatever the seeds are, most that a migration can come to is among what they come to.
        assertThat(outcomes)
                .containsKeys(
                        "completed / completed",
                        "IN_DOUBT / DEVICE",
                        "CANCELLED / PEER_FAILED",
                        "PEER_FAILED / CANCELLED",
                        "DEVICE / PEER_FAILED",
                        "PEER_FAILED / DEVICE",
                        "TRANSPORT / TRANSPORT");
    }

    /** What once went wrong. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                // A call that failed once left the source in no state that could be resolved.
                "CONNECTION/1688/MACHINE_DOES_NOT_RESUME_THERE+DEVICE_IN_ERROR@SOURCE_DEVICE30",
                // The source said that it was cancelled when the destination was, and when the network was cut.
                "CONNECTION/1/CANCEL_AT_DESTINATION@MESSAGE17",
                "CONNECTION/1/CUT@MESSAGE10",
                // A disk that had been slow once was expected to be so for ever, and nothing fit the limit any more.
                "FILE/1/SLOW_DISK@DISK12"
            })
    void shouldAccountForBothSidesIn(String schedule) throws Exception {
        run(Schedule.parse(schedule));
    }

    @Test
    void shouldTellHowToRunAScheduleAgainThatFails() {
        List<Schedule> failing = List.of(
                Schedule.random(7),
                Schedule.of(Way.CONNECTION, 3),
                Schedule.of(Way.CONNECTION, 2, new Fault(Kind.CUT, Place.MESSAGE, 17)));
        for (Schedule schedule : failing) {
            String told = failureOf(schedule);
            Matcher again = Pattern.compile("-Dvfio4j\\.simulation=(\\S+)").matcher(told);
            assertThat(again.find()).isTrue();
            assertThat(failureOf(Schedule.parse(again.group(1)))).isEqualTo(told);
        }
    }

    /** Of a judge to whom nothing is right: the same words mean the same trace of what happened. */
    private static String failureOf(Schedule schedule) {
        String message = assertThrows(
                        AssertionError.class,
                        () -> run(schedule, simulation -> {
                            throw new AssertionError("not as it should be");
                        }))
                .getMessage();
        return message == null ? "" : message;
    }
}
