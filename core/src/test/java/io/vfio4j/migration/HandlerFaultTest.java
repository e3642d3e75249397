// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SimulatedHandler.Position;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A handler that throws or hangs in each of its methods, at either side: it is named, the other handlers and both
 * virtual machines are accounted for.
 */
@ExtendWith(LeakCheck.class)
class HandlerFaultTest {
    private static final String BAD = "bad";
    private static final Duration LIMIT = Duration.ofSeconds(2);
    private static final long HANG_NANOS = 60 * SimulatedWorld.SECOND;

    /** What it is called as long as it has not said. */
    private static final String NAMELESS = "handler 1";

    /** What the handler does. */
    enum Fault {
        FAILS,
        THROWS_UNCHECKED,
        THROWS_ERROR,
        HANGS
    }

    /** What else happens, so that the method is called at all. */
    enum Scenario {
        NOTHING_ELSE,
        NEW_INITIAL_DATA_AFTER_THE_DECISION,
        ANOTHER_FAILS_TO_STOP,
        ANOTHER_IS_REFUSED_THERE,
        THE_MACHINE_DOES_NOT_RUN_THERE,
        WHAT_COULD_WAIT_IS_LOST
    }

    /** How it has to end. */
    enum End {
        /** The source has not touched anything. */
        NOT_BEGUN,
        /** The source's virtual machine has not been stopped. */
        RUNS_ON,
        /** The source's virtual machine was stopped and runs again; where the handler hangs there, that is told. */
        RUNS_AGAIN,
        /** The source's virtual machine runs again, and what was not discarded at the destination is told. */
        NOT_DISCARDED,
        /** The source's virtual machine stays stopped, and why is told. */
        NOT_TAKEN_BACK,
        /** It is in doubt; the destination keeps the state where the handler lets it, and the source is resumed. */
        IN_DOUBT,
        /** It is in doubt; the destination says that it could not keep the state, and the source is resumed. */
        NOT_HELD,
        /** Complete, and what the handler did is told. */
        COMPLETED
    }

    /** A method at one side. */
    record Place(boolean atSource, String method, Scenario scenario, End end) {
        @Override
        public String toString() {
            return method + (atSource ? " at the source" : " at the destination");
        }
    }

    private static final List<Place> PLACES = List.of(
            source("name", End.NOT_BEGUN),
            source("description", End.NOT_BEGUN),
            source("placedPages", End.NOT_BEGUN),
            source("prepare", End.NOT_BEGUN),
            source("peerToPeer", End.NOT_BEGUN),
            source("isRunning", End.NOT_BEGUN),
            source("saveSetup", End.RUNS_ON),
            source("stepNanos", End.RUNS_ON),
            source("isActive", End.RUNS_ON),
            source("iterates", End.RUNS_ON),
            source("pending", End.RUNS_ON),
            source("iterate", End.RUNS_ON),
            source("quiesce", End.RUNS_AGAIN),
            new Place(true, "unquiesce", Scenario.NEW_INITIAL_DATA_AFTER_THE_DECISION, End.RUNS_AGAIN),
            source("stop", End.RUNS_AGAIN),
            source("complete", End.RUNS_AGAIN),
            source("hasLater", End.RUNS_AGAIN),
            source("saveLater", End.COMPLETED),
            new Place(true, "resumeQuiesced", Scenario.ANOTHER_FAILS_TO_STOP, End.NOT_TAKEN_BACK),
            new Place(true, "resume", Scenario.ANOTHER_FAILS_TO_STOP, End.NOT_TAKEN_BACK),
            source("release", End.COMPLETED),
            source("cleanup", End.COMPLETED),
            destination("name", End.NOT_BEGUN),
            destination("description", End.NOT_BEGUN),
            destination("placedPages", End.NOT_BEGUN),
            destination("prepare", End.NOT_BEGUN),
            destination("misfit", End.NOT_BEGUN),
            destination("rehearse", End.NOT_BEGUN),
            destination("loadSetup", End.NOT_BEGUN),
            destination("load", End.RUNS_AGAIN),
            destination("placePages", End.RUNS_AGAIN),
            destination("loadPages", End.RUNS_AGAIN),
            destination("initialLoaded", End.RUNS_AGAIN),
            destination("loadExtra", End.RUNS_AGAIN),
            destination("switchoverStart", End.RUNS_AGAIN),
            destination("takesLater", End.RUNS_AGAIN),
            destination("loadFinish", End.RUNS_AGAIN),
            new Place(false, "discard", Scenario.ANOTHER_IS_REFUSED_THERE, End.NOT_DISCARDED),
            destination("resumeQuiesced", End.IN_DOUBT),
            destination("resume", End.IN_DOUBT),
            new Place(false, "hold", Scenario.THE_MACHINE_DOES_NOT_RUN_THERE, End.NOT_HELD),
            destination("laterLoaded", End.COMPLETED),
            new Place(false, "laterLost", Scenario.WHAT_COULD_WAIT_IS_LOST, End.COMPLETED),
            destination("cleanup", End.COMPLETED));

    private static Place source(String method, End end) {
        return new Place(true, method, Scenario.NOTHING_ELSE, end);
    }

    private static Place destination(String method, End end) {
        return new Place(false, method, Scenario.NOTHING_ELSE, end);
    }

    static Stream<Arguments> faults() {
        return PLACES.stream()
                .flatMap(place -> Arrays.stream(Fault.values())
                        .filter(fault -> canHappen(place.method, fault))
                        .map(fault -> arguments(place, fault)));
    }

    private static boolean canHappen(String method, Fault fault) {
        return switch (fault) {
            case FAILS ->
                methods()
                        .filter(declared -> declared.getName().equals(method))
                        .anyMatch(declared ->
                                List.of(declared.getExceptionTypes()).contains(IOException.class));
            case THROWS_UNCHECKED, THROWS_ERROR, HANGS -> true;
        };
    }

    private static Stream<Method> methods() {
        return Arrays.stream(StateHandler.class.getDeclaredMethods()).filter(method -> !method.isSynthetic());
    }

    private final SimulatedPair pair = new SimulatedPair(1);
    private final List<SimulatedHandler> atSource = new ArrayList<>();
    private final List<SimulatedHandler> atDestination = new ArrayList<>();
    private boolean hangs;

    @Test
    void shouldKnowEveryMethodOfAHandler() {
        Set<String> covered = PLACES.stream().map(Place::method).collect(Collectors.toCollection(TreeSet::new));

        assertThat(covered).isEqualTo(methods().map(Method::getName).collect(Collectors.toCollection(TreeSet::new)));
    }

    @ParameterizedTest(name = "{1} in {0}")
    @MethodSource("faults")
    void shouldNameTheHandlerAndAccountForBothSides(Place place, Fault fault) {
        List<StateHandler> from = side(atSource, pair.sourceVm, Position.RUNNING);
        List<StateHandler> to = side(atDestination, pair.destinationVm, Position.EMPTY);
        List<StateHandler> side = place.atSource ? from : to;
        side.set(0, failing(side.getFirst(), place.method, fault));
        switch (place.scenario) {
            case NOTHING_ELSE -> {}
            case NEW_INITIAL_DATA_AFTER_THE_DECISION -> atSource.getLast().reinitOnQuiesce();
            case ANOTHER_FAILS_TO_STOP -> from.set(1, failing(from.get(1), "stop", Fault.FAILS));
            case ANOTHER_IS_REFUSED_THERE -> to.set(1, failing(to.get(1), "loadFinish", Fault.FAILS));
            case WHAT_COULD_WAIT_IS_LOST -> from.set(0, failing(from.getFirst(), "saveLater", Fault.FAILS));
            case THE_MACHINE_DOES_NOT_RUN_THERE -> pair.destinationVm.failResume();
        }
        TwoSides.Outcome outcome =
                pair.migrate(from, to, SimulatedPair.parameters(LIMIT).build(), SwitchoverPolicy.STANDARD);

        judge(place, fault, outcome);
    }

    /** A call into a driver cannot be interrupted, but it need not be waited for either. */
    @Test
    void shouldNotWaitForAHandlerThatHangsWhenTheMigrationIsCancelled() {
        List<StateHandler> from = side(atSource, pair.sourceVm, Position.RUNNING);
        from.set(0, failing(from.getFirst(), "iterate", Fault.HANGS));
        long[] cancelledAt = new long[1];
        long[] endedAt = new long[1];
        pair.sourceEvents.onProgress = () -> {
            if (hangs && cancelledAt[0] == 0) {
                cancelledAt[0] = pair.world.now();
                assertThat(pair.outgoing().cancel()).isTrue();
            }
        };
        pair.sourceEvents.at(Phase.FAILED, () -> endedAt[0] = pair.world.now());
        MigrationParameters patient = SimulatedPair.parameters(LIMIT)
                .handlerLimit(Duration.ofHours(1))
                .build();

        TwoSides.Outcome outcome = pair.migrate(
                from, side(atDestination, pair.destinationVm, Position.EMPTY), patient, SwitchoverPolicy.STANDARD);

        assertThat(outcome.failed().reason()).isEqualTo(Reason.CANCELLED);
        assertThat(outcome.destinationFailure()).hasMessageContaining("the migration was cancelled");
        assertThat(endedAt[0] - cancelledAt[0]).isBetween(0L, 10 * SimulatedWorld.SECOND);
        assertThat(pair.sourceEvents.notices).anyMatch(notice -> notice.contains("bad: it does not answer (iterate)"));
        assertRuns(pair.sourceVm, atSource, List.of(1, 2));
        assertThat(pair.destinationVm.ran()).isFalse();
    }

    private List<StateHandler> side(List<SimulatedHandler> siblings, SimulatedMachine vm, Position position) {
        List<StateHandler> handlers = new ArrayList<>();
        for (String name : List.of(BAD, "good", "other")) {
            SimulatedHandler handler = new SimulatedHandler(name, pair.world, vm, position, siblings);
            handler.siblingsMayFail();
            handlers.add(handler);
        }
        return handlers;
    }

    /** Lets a handler fail in the first call of a method, before it has done anything. */
    private StateHandler failing(StateHandler handler, String method, Fault fault) {
        boolean[] failed = new boolean[1];
        return (StateHandler) Proxy.newProxyInstance(
                HandlerFaultTest.class.getClassLoader(),
                new Class<?>[] {StateHandler.class},
                (proxy, called, arguments) -> {
                    if (called.getName().equals(method) && !failed[0]) {
                        failed[0] = true;
                        fail(method, fault);
                    }
                    try {
                        return called.invoke(handler, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getTargetException();
                    }
                });
    }

    private void fail(String method, Fault fault) throws IOException {
        switch (fault) {
            case FAILS -> throw new IOException("no " + method);
            case THROWS_UNCHECKED -> throw new IllegalStateException("no " + method);
            case THROWS_ERROR -> throw new StackOverflowError("no " + method);
            case HANGS -> {
                hangs = true;
                pair.world.sleep(HANG_NANOS);
                throw new IllegalStateException("came back from " + method);
            }
        }
    }

    private void judge(Place place, Fault fault, TwoSides.Outcome outcome) {
        String name = place.method.equals("name") ? NAMELESS : BAD;
        String named = fault == Fault.HANGS ? name + ": it does not answer (" + step(place.method) + ")" : name + ": ";
        List<String> told = place.atSource ? pair.sourceEvents.notices : pair.destinationEvents.notices;
        boolean stillHangs = fault == Fault.HANGS && place.atSource;
        switch (place.end) {
            case COMPLETED -> {
                outcome.completed();
                assertThat(told).anyMatch(notice -> notice.contains(named));
                assertRuns(pair.destinationVm, atDestination, List.of(0, 1, 2));
                assertThat(pair.sourceVm.runs()).isFalse();
                return;
            }
            case NOT_TAKEN_BACK -> {
                assertThat(outcome.failed()).hasMessageStartingWith("good: no stop");
                assertThat(pair.sourceVm.runs()).isFalse();
                assertThat(told)
                        .anyMatch(notice -> notice.contains(named))
                        .anyMatch(notice -> notice.startsWith("the virtual machine stays stopped"));
            }
            case NOT_DISCARDED -> {
                assertThat(outcome.failed()).hasMessageContaining("good: no loadFinish");
                assertThat(told).anyMatch(notice -> notice.contains(named));
                assertRuns(pair.sourceVm, atSource, List.of(0, 1, 2));
            }
            case IN_DOUBT, NOT_HELD -> {
                assertThat(outcome.failed().reason()).isEqualTo(Reason.IN_DOUBT);
                assertThat(pair.resolutions).containsExactly(Resolution.RESUME_SOURCE);
                boolean held = place.end == End.IN_DOUBT && fault != Fault.HANGS;
                assertThat(told)
                        .singleElement()
                        .asString()
                        .contains(
                                held ? "its state is held here" : "not all of the state could be kept here (" + named);
                if (place.end == End.IN_DOUBT) {
                    assertThat(outcome.destinationFailure()).hasMessageStartingWith(named);
                    assertThat(outcome.sourceFailure()).hasMessageContaining(named);
                }
                assertRuns(pair.sourceVm, atSource, List.of(0, 1, 2));
            }
            case NOT_BEGUN, RUNS_ON, RUNS_AGAIN -> {
                assertNamed(place, named, outcome);
                if (place.end == End.RUNS_AGAIN && stillHangs) {
                    assertThat(pair.sourceVm.runs()).isFalse();
                    assertThat(told)
                            .anyMatch(notice -> notice.contains(named))
                            .anyMatch(notice -> notice.startsWith("the virtual machine stays stopped"));
                } else {
                    assertRuns(pair.sourceVm, atSource, stillHangs ? List.of(1, 2) : List.of(0, 1, 2));
                }
            }
        }
        if (place.end != End.IN_DOUBT && place.end != End.NOT_HELD) {
            assertDiscarded(place, fault);
        }
        assertThat(pair.destinationVm.ran()).isFalse();
    }

    /** What the crew calls the step that the method is called in. */
    private static String step(String method) {
        return switch (method) {
            case "hasLater" -> "complete";
            case "laterLoaded", "laterLost" -> "loadLater";
            case "stepNanos", "isActive", "iterates", "pending" -> "saveSetup";
            case "initialLoaded", "loadExtra", "loadPages", "placePages", "switchoverStart", "takesLater" -> "load";
            default -> method;
        };
    }

    /** The side at which it happened says who it was; so does the other one, if there was a connection. */
    private void assertNamed(Place place, String named, TwoSides.Outcome outcome) {
        MigrationException here =
                Objects.requireNonNull(place.atSource ? outcome.sourceFailure() : outcome.destinationFailure());
        MigrationException there =
                Objects.requireNonNull(place.atSource ? outcome.destinationFailure() : outcome.sourceFailure());
        assertThat(here.reason()).isEqualTo(Reason.DEVICE);
        assertThat(here).hasMessageStartingWith(named);
        boolean connected = !(place.end == End.NOT_BEGUN && place.atSource)
                && !Set.of("name", "description", "placedPages", "prepare").contains(place.method);
        if (connected) {
            assertThat(there).hasMessageContaining(named);
        }
    }

    private static void assertRuns(SimulatedMachine vm, List<SimulatedHandler> handlers, List<Integer> which) {
        assertThat(vm.runs()).isTrue();
        for (int index : which) {
            assertThat(handlers.get(index).position()).isEqualTo(Position.RUNNING);
        }
    }

    /** No handler of the destination holds anything, but for the one that did not let go of it. */
    private void assertDiscarded(Place place, Fault fault) {
        boolean keeps = !place.atSource && (fault == Fault.HANGS || place.end == End.NOT_DISCARDED);
        for (SimulatedHandler handler : atDestination.subList(keeps ? 1 : 0, 3)) {
            assertThat(handler.position()).as(handler.name()).isEqualTo(Position.EMPTY);
        }
    }
}
