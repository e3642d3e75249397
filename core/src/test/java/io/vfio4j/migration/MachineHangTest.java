// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SimulatedHandler.Position;
import io.vfio4j.testing.LeakCheck;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A virtual machine that does not come back from each of its calls: it is waited for no longer than a handler is. */
@ExtendWith(LeakCheck.class)
class MachineHangTest {
    private static final Duration LIMIT = Duration.ofSeconds(2);

    private final SimulatedPair pair = new SimulatedPair(1);
    private final List<SimulatedHandler> atSource = new ArrayList<>();
    private final List<SimulatedHandler> atDestination = new ArrayList<>();

    private TwoSides.Outcome migrate(MigrationParameters.Builder parameters) {
        return pair.migrate(
                side(atSource, pair.sourceVm, Position.RUNNING),
                side(atDestination, pair.destinationVm, Position.EMPTY),
                parameters.build(),
                SwitchoverPolicy.STANDARD);
    }

    private List<SimulatedHandler> side(List<SimulatedHandler> siblings, SimulatedMachine vm, Position position) {
        for (String name : List.of("one", "two")) {
            new SimulatedHandler(name, pair.world, vm, position, siblings).siblingsMayFail();
        }
        return siblings;
    }

    private void assertDiscarded() {
        assertThat(pair.destinationVm.ran()).isFalse();
        assertThat(atDestination).allMatch(handler -> handler.position() == Position.EMPTY);
    }

    private void assertDevicesRun() {
        assertThat(atSource).allMatch(handler -> handler.position() == Position.RUNNING);
    }

    @Test
    void shouldRunOnAtTheSourceWhenItHangsBeforeTheSwitchover() {
        pair.sourceVm.hangIn("prepare");

        MigrationException e = migrate(SimulatedPair.parameters(LIMIT)).failed();

        assertThat(e.reason()).isEqualTo(Reason.DEVICE);
        assertThat(e).hasMessageStartingWith("the virtual machine: it does not answer (prepare)");
        assertThat(pair.sourceVm.runs()).isTrue();
        assertDevicesRun();
        assertDiscarded();
    }

    @Test
    void shouldTakeTheDevicesBackAndSayThatNobodyKnowsWhenItDoesNotStop() {
        pair.sourceVm.hangIn("stop");

        TwoSides.Outcome outcome = migrate(SimulatedPair.parameters(LIMIT));

        assertThat(outcome.failed())
                .hasMessageStartingWith("the virtual machine: it does not answer (stop)")
                .hasMessageEndingWith("see to it that it does not run beside another one");
        assertThat(outcome.destinationFailure()).hasMessageContaining("it does not answer (stop)");
        assertThat(pair.sourceEvents.notices)
                .singleElement()
                .asString()
                .startsWith("the virtual machine could not be resumed: the virtual machine: it does not answer");
        assertDevicesRun();
        assertDiscarded();
    }

    @Test
    void shouldGoOnWhenItIsNotSlowedDownInTime() {
        pair.sourceVm.hangIn("throttle");
        pair.sourceEvents.onProgress = () -> {
            if (!pair.sourceEvents.notices.isEmpty()) {
                pair.outgoing().cancel();
            }
        };

        MigrationException e = migrate(SimulatedPair.parameters(LIMIT)
                        .downtimeLimit(Duration.ofNanos(1))
                        .maxRounds(1)
                        .whenNotConverging(MigrationLimits.NotConverging.THROTTLE))
                .failed();

        assertThat(e.reason()).isEqualTo(Reason.CANCELLED);
        assertThat(pair.sourceEvents.notices)
                .first()
                .asString()
                .startsWith("the virtual CPUs could not be slowed down: the virtual machine: it does not answer");
        assertThat(pair.sourceVm.runs()).isTrue();
        assertDevicesRun();
        assertDiscarded();
    }

    @Test
    void shouldBeInDoubtAndSaySoWhenItHangsAtTheDestination() {
        pair.destinationVm.hangIn("resume");

        TwoSides.Outcome outcome = migrate(SimulatedPair.parameters(LIMIT));

        assertThat(outcome.failed().reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(outcome.destinationFailure())
                .hasMessageStartingWith("the virtual machine: it does not answer (resume)");
        assertThat(pair.destinationEvents.notices)
                .singleElement()
                .asString()
                .contains("nobody knows whether the virtual machine will run here")
                .contains("its state is held here");
        assertThat(pair.resolutions).containsExactly(Resolution.RESUME_SOURCE);
        assertThat(pair.sourceVm.runs()).isTrue();
        assertDevicesRun();
    }
}
