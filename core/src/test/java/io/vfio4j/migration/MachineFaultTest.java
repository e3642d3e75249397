// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A virtual machine that throws in each of its calls, whatever it throws. */
@ExtendWith(LeakCheck.class)
class MachineFaultTest {
    private static final MigrationParameters PARAMETERS =
            MigrationParameters.builder().downtimeLimit(Duration.ofHours(1)).build();

    private static final MigrationParameters THROTTLED = MigrationParameters.builder()
            .maxRounds(1)
            .whenNotConverging(NotConverging.THROTTLE)
            .build();

    @TempDir
    private Path folder;

    private final TextHandler there = new TextHandler("text", "");
    private TwoSides sides;

    @BeforeEach
    void makeSides() {
        sides = new TwoSides(LibC.system(), folder);
    }

    /** Has more and more to send, until it is to switch over all the same. */
    private ChangingHandler neverConverging() {
        return new ChangingHandler("text") {
            @Override
            public boolean iterate(StateOutput out) throws IOException {
                if (iterations.get() == 20) {
                    sides.outgoing().limits(sides.outgoing().limits().withWhenNotConverging(NotConverging.SWITCH_OVER));
                }
                super.iterate(out);
                return false;
            }

            @Override
            public void pending(long thresholdBytes, Precision precision, Pending pending) {
                pending.preCopyBytes(1L << 40);
            }
        };
    }

    static Stream<Throwable> failures() {
        return Stream.of(
                new IOException("not me"), new IllegalStateException("not me"), new StackOverflowError("not me"));
    }

    private TwoSides.Outcome migrate() throws Exception {
        return sides.migrate(List.of(new TextHandler("text", "hello")), List.of(there), PARAMETERS);
    }

    @ParameterizedTest
    @MethodSource("failures")
    void shouldRunOnAtTheSourceWhenItIsNotToBegin(Throwable failure) throws Exception {
        sides.sourceVm.prepareFailure = failure;

        assertThat(migrate().failed()).hasMessageEndingWith("not me");

        assertThat(sides.sourceVm.calls).isEmpty();
        assertThat(there.calls).containsExactly("discard");
    }

    @ParameterizedTest
    @MethodSource("failures")
    void shouldRunAgainAtTheSourceWhenItDoesNotStop(Throwable failure) throws Exception {
        sides.sourceVm.stopFailure = failure;

        assertThat(migrate().failed()).hasMessageEndingWith("not me");

        assertThat(sides.sourceVm.calls).containsExactly("stop", "resume");
        assertThat(there.calls).containsExactly("discard");
    }

    @ParameterizedTest
    @MethodSource("failures")
    void shouldSayThatNobodyRunsWhenItDoesNotResume(Throwable failure) throws Exception {
        sides.sourceVm.stopFailure = new IOException("no stop");
        sides.sourceVm.resumeFailure = failure;

        MigrationException e = migrate().failed();

        assertThat(e).hasMessage("the virtual machine: no stop");
        assertThat(e.getSuppressed())
                .singleElement()
                .satisfies(suppressed -> assertThat(suppressed).hasMessageEndingWith("not me"));
        assertThat(sides.sourceEvents.notices)
                .singleElement()
                .asString()
                .startsWith("the virtual machine could not be resumed: ")
                .endsWith("not me");
        assertThat(there.calls).containsExactly("discard");
    }

    @ParameterizedTest
    @MethodSource("failures")
    void shouldBeInDoubtWhenItDoesNotRunAtTheDestination(Throwable failure) throws Exception {
        sides.destinationVm.resumeFailure = failure;

        TwoSides.Outcome outcome = migrate();

        assertThat(outcome.failed().reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(Objects.requireNonNull(outcome.destinationFailure())).hasMessageEndingWith("not me");
        assertThat(sides.incoming().holdsState()).isTrue();
        assertThat(there.text).isEqualTo("hello");
        assertThat(sides.sourceVm.calls).containsExactly("stop");
        sides.outgoing().resolve(OutgoingMigration.Resolution.RESUME_SOURCE);
        assertThat(sides.sourceVm.calls).containsExactly("stop", "resume");
    }

    @Test
    void shouldNotStaySlowedDownWhenADoubtIsResolvedForTheSource() throws Exception {
        sides.destinationVm.resumeFailure = new IOException("not me");

        TwoSides.Outcome outcome = sides.migrate(List.of(neverConverging()), List.of(there), THROTTLED);

        assertThat(outcome.failed().reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(sides.sourceVm.throttles).startsWith(20, 30).doesNotContain(0);
        sides.outgoing().resolve(OutgoingMigration.Resolution.RESUME_SOURCE);
        assertThat(sides.sourceVm.throttles).endsWith(0);
        assertThat(sides.sourceVm.calls).containsExactly("stop", "resume");
    }

    @ParameterizedTest
    @MethodSource("failures")
    void shouldGoOnWhenItCannotBeSlowedDown(Throwable failure) throws Exception {
        sides.sourceVm.throttleFailure = failure;

        sides.migrate(List.of(neverConverging()), List.of(there), THROTTLED).completed();

        assertThat(sides.sourceVm.throttles).startsWith(20, 30).endsWith(0);
        assertThat(sides.sourceEvents.notices)
                .hasSameSizeAs(sides.sourceVm.throttles)
                .allMatch(notice ->
                        notice.startsWith("the virtual CPUs could not be slowed down: ") && notice.endsWith("not me"));
    }
}
