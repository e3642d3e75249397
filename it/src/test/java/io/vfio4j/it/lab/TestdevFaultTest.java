// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static io.vfio4j.it.lab.Sides.assertNames;
import static io.vfio4j.it.lab.Sides.assertToldByPeer;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.SwitchoverPolicy.Decision;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A real driver that fails on demand, at either side of a migration. */
@Tag("lab")
class TestdevFaultTest extends BetweenTwoSides {
    private static final int EIO = 5;
    private static final int ENOMEM = 12;
    private static final int EINVAL = 22;

    // ---- at the source ----

    @ParameterizedTest
    @CsvSource({
        "full, RUNNING PRE_COPY, false",
        "full, PRE_COPY PRE_COPY_P2P, true",
        "full, PRE_COPY_P2P STOP_COPY, true",
        "nop2p, RUNNING PRE_COPY, false",
        "nop2p, PRE_COPY STOP_COPY, true",
        "noprecopy, RUNNING RUNNING_P2P, true",
        "noprecopy, STOP STOP_COPY, true",
        "minimal, STOP STOP_COPY, true",
    })
    void shouldRunOnAtTheSourceWhenAnArcFailsThere(String type, String arc, boolean vmWasStopped) throws Exception {
        assertRunsOnWhenAnArcFails(type, arc, "", vmWasStopped);
    }

    @ParameterizedTest
    @CsvSource({"noprecopy, RUNNING_P2P STOP", "minimal, RUNNING STOP"})
    void shouldRunOnAtTheSourceWhenItCannotBeStoppedAtOnce(String type, String arc) throws Exception {
        assertRunsOnWhenAnArcFails(type, arc, " 1", true);
    }

    @ParameterizedTest
    @CsvSource({"noprecopy, RUNNING_P2P STOP", "minimal, RUNNING STOP"})
    void shouldRunOnAtTheSourceWhenItCannotBeStoppedAtAll(String type, String arc) throws Exception {
        assertRunsOnWhenAnArcFails(type, arc, "", true);
    }

    private void assertRunsOnWhenAnArcFails(String type, String arc, String count, boolean vmWasStopped)
            throws Exception {
        Sides pair = sides(type);
        pair.source.first.mdev.attribute("fail_arc", arc + " 5" + count);

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source.first, EIO);
        assertToldByPeer(pair.destinationFailure(), pair.source.first, EIO);
        assertThat(pair.source.first.mdev.log()).contains("fail_arc " + arc + " 5");
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    @ParameterizedTest
    @CsvSource({"RUNNING PRE_COPY, false", "PRE_COPY PRE_COPY_P2P, true", "PRE_COPY_P2P STOP_COPY, true"})
    void shouldSayThatTheStateIsLostWhenAnArcLeadsTheSourceToError(String arc, boolean vmWasStopped) throws Exception {
        Sides pair = sides("full");
        pair.source.first.mdev.attribute("fail_arc", arc + " 5 1 error");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source.first, EIO);
        assertThat(pair.source.notices).singleElement().asString().contains("had to be reset");
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.first.mdev.log()).containsOnlyOnce("reset");
        assertThat(pair.source.vmCalls).isEqualTo(vmWasStopped ? List.of("stop", "resume") : List.of());
        assertThat(pair.destination.first.device.state()).isEqualTo(MigrationState.RUNNING);
        pair.assertMigratesNow();
    }

    @Test
    void shouldTellBothErrorsWhenTheSourceCannotBeResetEither() throws Exception {
        Sides pair = sides("full");
        pair.source.first.mdev.attribute("fail_arc", "PRE_COPY_P2P STOP_COPY 5 1 error");
        pair.source.first.mdev.attribute("fail_reset", "16");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source.first, EIO);
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.ERROR);
        assertThat(pair.source.first.mdev.log()).contains("fail_reset 16");
        assertThat(failure.getSuppressed()).isNotEmpty();
        assertThat(pair.source.vmCalls).containsExactly("stop");
        assertThat(pair.source.notices).isNotEmpty();
        assertThat(pair.destination.first.device.state()).isEqualTo(MigrationState.RUNNING);

        pair.source.first.mdev.attribute("clear_faults", "1");
        pair.source.first.device.reset();
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.RUNNING);
    }

    /** In pre-copy all goes but the end of the stream: the last 40 bytes are read when the device is stopped. */
    @ParameterizedTest
    @CsvSource({
        "full, 0, false",
        "full, 24, false",
        "full, 1500000, false",
        "minimal, 0, true",
        "minimal, 1500000, true"
    })
    void shouldRunOnAtTheSourceWhenReadingFails(String type, long offset, boolean vmWasStopped) throws Exception {
        Sides pair = sides(type);
        pair.source.first.mdev.attribute("fail_read", offset + " 5");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source.first, EIO);
        assertToldByPeer(pair.destinationFailure(), pair.source.first, EIO);
        assertThat(pair.source.first.mdev.log()).contains("fail_read " + offset + " 5");
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    @Test
    void shouldRunOnAtTheSourceWhenReadingTheLastBytesFails() throws Exception {
        Sides pair = sides("full");
        long last = pair.source.first.device.stopCopyLength() - 1;
        pair.source.first.mdev.attribute("fail_read", last + " 5");

        MigrationException failure = pair.failAtSource();

        assertNames(failure, pair.source.first, EIO);
        assertThat(pair.source.first.mdev.log()).contains("fail_read " + last + " 5");
        pair.assertTakenBack(true);
        pair.assertMigratesNow();
    }

    @Test
    void shouldSayThatTheSessionEndedWhenTheSourceIsResetMeanwhile() throws Exception {
        Sides pair = sides("full");
        pair.policy = (forecast, limits) -> {
            try {
                pair.source.first.device.reset();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return Decision.CONTINUE;
        };

        MigrationException failure = pair.failAtSource();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure)
                .hasMessageContaining(pair.source.first.device.name())
                .hasMessageContaining("the device was reset");
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.first.mdev.log()).containsOnlyOnce("reset");
        assertThat(pair.source.vmCalls).isEmpty();
        assertThat(pair.destination.first.device.state()).isEqualTo(MigrationState.RUNNING);
        pair.assertMigratesNow();
    }

    @Test
    void shouldGiveUpWhenTheSourceCannotTellHowMuchIsLeft() throws Exception {
        Sides pair = sides("full");
        pair.source.first.mdev.attribute("data_size_errno", "5");
        MigrationLimits given = MigrationParameters.builder()
                .maxRounds(3)
                .whenNotConverging(NotConverging.GIVE_UP)
                .build()
                .limits();
        pair.policy = (forecast, limits) -> SwitchoverPolicy.STANDARD.decide(forecast, given);

        MigrationException failure = pair.failAtSource();

        assertThat(failure.reason()).isEqualTo(Reason.NOT_CONVERGED);
        pair.assertTakenBack(false);
        pair.assertMigratesNow();
    }

    @Test
    void shouldSayThatTheMigrationIsCompleteWhenOnlyTheSourcesLastArcFails() throws Exception {
        Sides pair = sides("full");
        pair.source.first.mdev.attribute("fail_arc", "STOP_COPY STOP 5 1");

        assertThat(pair.run()).isNotNull();

        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.STOP);
        assertThat(pair.source.notices)
                .singleElement()
                .asString()
                .contains("complete")
                .contains("EIO (5)");
        assertThat(pair.source.vmCalls).containsExactly("stop");
        assertThat(pair.destination.first.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.destination.first.digest()).isEqualTo(pair.source.first.digestBefore);
    }

    // ---- at the destination ----

    @ParameterizedTest
    @CsvSource({
        "full, RUNNING RUNNING_P2P, false",
        "full, RUNNING_P2P STOP, false",
        "full, STOP RESUMING, false",
        "full, RESUMING STOP, true",
        "nop2p, RUNNING STOP, false",
        "nop2p, RESUMING STOP, true",
        "minimal, STOP RESUMING, false",
        "minimal, RESUMING STOP, true",
    })
    void shouldRunOnAtTheSourceWhenAnArcFailsAtTheDestination(String type, String arc, boolean vmWasStopped)
            throws Exception {
        Sides pair = sides(type);
        pair.destination.first.mdev.attribute("fail_arc", arc + " 12");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, ENOMEM);
        assertToldByPeer(pair.sourceFailure(), pair.destination.first, ENOMEM);
        assertThat(pair.destination.first.mdev.log()).contains("fail_arc " + arc + " 12");
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    @ParameterizedTest
    @CsvSource({"STOP RESUMING, false", "RESUMING STOP, true"})
    void shouldResetTheDestinationWhenAnArcLeadsItToError(String arc, boolean vmWasStopped) throws Exception {
        Sides pair = sides("full");
        pair.destination.first.mdev.attribute("fail_arc", arc + " 12 1 error");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, ENOMEM);
        pair.assertTakenBack(vmWasStopped);
        pair.assertMigratesNow();
    }

    /** Set when all is loaded, because the arcs back to RUNNING are tried before that, too. */
    @ParameterizedTest
    @CsvSource({"STOP RUNNING_P2P", "RUNNING_P2P RUNNING"})
    void shouldLeaveItInDoubtWhenTheDestinationDoesNotRunAfterCommit(String arc) throws Exception {
        Sides pair = sides("full");
        pair.destination.on(Phase.HANDOVER, () -> pair.destination.first.mdev.attribute("fail_arc", arc + " 5"));

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, EIO);
        assertThat(pair.destination.first.device.state()).isEqualTo(MigrationState.STOP);
        assertThat(pair.destination.first.digest()).isEqualTo(pair.source.first.digestBefore);
        assertThat(pair.destination.first.mdev.log()).doesNotContain("reset");
        assertThat(pair.destination.vmCalls).isEmpty();
        assertThat(pair.destination.notices).isNotEmpty();
        assertThat(pair.sourceFailure().reason()).isEqualTo(Reason.IN_DOUBT);
        assertThat(pair.sourceFailure()).hasMessageContaining(pair.destination.first.device.name());
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.STOP_COPY);
        assertThat(pair.source.vmCalls).containsExactly("stop");

        pair.outgoing().resolve(Resolution.RESUME_SOURCE);
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.first.digest()).isEqualTo(pair.source.first.digestBefore);
        assertThat(pair.source.vmCalls).containsExactly("stop", "resume");
    }

    /** A small state is on its way before the source hears of the failure, so its machine may be stopped by then. */
    @ParameterizedTest
    @CsvSource({"full, 0", "full, 24", "full, 1500000", "full, 4000000", "minimal, 0", "minimal, 1500000"})
    void shouldRunOnAtTheSourceWhenWritingFailsAtTheDestination(String type, long offset) throws Exception {
        Sides pair = sides(type);
        pair.destination.first.mdev.attribute("fail_write", offset + " 12");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, ENOMEM);
        assertToldByPeer(pair.sourceFailure(), pair.destination.first, ENOMEM);
        assertThat(pair.destination.first.mdev.log()).contains("fail_write " + offset + " 12");
        pair.assertTakenBack();
        pair.assertMigratesNow();
    }

    @Test
    void shouldRunOnAtTheSourceWhenWritingTheLastBytesFailsAtTheDestination() throws Exception {
        Sides pair = sides("full");
        long last = pair.source.first.device.stopCopyLength() - 1;
        pair.destination.first.mdev.attribute("fail_write", last + " 12");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, ENOMEM);
        assertToldByPeer(pair.sourceFailure(), pair.destination.first, ENOMEM);
        pair.assertTakenBack(true);
        pair.assertMigratesNow();
    }

    @Test
    void shouldSayThatTheDestinationCouldNotBeReset() throws Exception {
        Sides pair = sides("full");
        pair.destination.first.mdev.attribute("fail_write", "1500000 12");
        pair.destination.first.mdev.attribute("fail_reset", "16");

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, ENOMEM);
        assertThat(failure.getSuppressed())
                .anySatisfy(suppressed -> assertThat(suppressed).hasMessageContaining("(16)"));
        assertThat(pair.destination.notices)
                .anySatisfy(notice -> assertThat(notice).contains("resetting it failed"));
        // What must not be: a device that runs with half a state.
        assertThat(pair.destination.first.device.state()).isEqualTo(MigrationState.RESUMING);
        assertThat(pair.source.first.device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(pair.source.first.digest()).isEqualTo(pair.source.first.digestBefore);

        pair.destination.first.mdev.attribute("clear_faults", "1");
        pair.destination.first.device.reset();
        pair.assertMigratesNow();
    }

    @Test
    void shouldRunOnAtTheSourceWhenTheDestinationIsResetMeanwhile() throws Exception {
        Sides pair = sides("full");
        pair.destination.on(Phase.RECEIVING, pair.destination.first.device::reset);

        MigrationException failure = pair.failAtDestination();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure)
                .hasMessageContaining(pair.destination.first.device.name())
                .hasMessageContaining("the device was reset");
        assertThat(pair.sourceFailure().reason()).isEqualTo(Reason.PEER_FAILED);
        pair.assertTakenBack();
        pair.assertMigratesNow();
    }

    // ---- what is no failure ----

    @ParameterizedTest
    @CsvSource({
        "full, short_read, 4093",
        "full, short_read, 65536",
        "full, delay_read, 500",
        "full, drained, zero",
        "full, initial_bytes, 1048576",
        "nop2p, short_read, 4093",
        "noprecopy, short_read, 4093",
        "minimal, short_read, 4093",
        "minimal, delay_arc, STOP STOP_COPY 30",
        "full, delay_arc, RUNNING PRE_COPY 30",
        "full, delay_arc, PRE_COPY PRE_COPY_P2P 30",
        "full, delay_arc, PRE_COPY_P2P STOP_COPY 30",
        "full, delay_arc, STOP_COPY STOP 30",
    })
    void shouldMigrateWhenTheSourceIsPeculiar(String type, String attribute, String value) throws Exception {
        Sides pair = sides(type);
        pair.source.first.mdev.attribute(attribute, value);

        pair.migrate();

        assertThat(pair.source.first.digest()).isEqualTo(pair.source.first.digestBefore);
    }

    @ParameterizedTest
    @CsvSource({
        "full, short_write, 4093",
        "full, short_write, 65536",
        "full, delay_write, 500",
        "nop2p, short_write, 4093",
        "noprecopy, short_write, 4093",
        "minimal, short_write, 4093",
        "full, delay_arc, STOP RESUMING 30",
        "full, delay_arc, RESUMING STOP 30",
        "full, delay_arc, STOP RUNNING_P2P 30",
        "full, delay_arc, RUNNING_P2P RUNNING 30",
        "minimal, delay_arc, STOP RUNNING 30",
    })
    void shouldMigrateWhenTheDestinationIsPeculiar(String type, String attribute, String value) throws Exception {
        Sides pair = sides(type);
        pair.destination.first.mdev.attribute(attribute, value);

        pair.migrate();

        assertThat(pair.source.first.digest()).isEqualTo(pair.source.first.digestBefore);
    }

    @Test
    void shouldMigrateWhenTheSourceCannotTellHowMuchIsLeftAndTheCallerWantsItAnyway() throws Exception {
        Sides pair = sides("full");
        pair.source.first.mdev.attribute("data_size_errno", "5");
        MigrationLimits given = MigrationParameters.builder()
                .maxRounds(3)
                .whenNotConverging(NotConverging.SWITCH_OVER)
                .build()
                .limits();
        pair.policy = (forecast, limits) -> SwitchoverPolicy.STANDARD.decide(forecast, given);

        assertThat(pair.migrate().rounds()).isEqualTo(3);
    }

    @Test
    void shouldSendWhatBecomesInitialAnewWhenTheDeviceStartsOver() throws Exception {
        long anew = 128 << 10;
        Sides pair = sides("full");
        AtomicInteger decisions = new AtomicInteger();
        List<Long> outstanding = new ArrayList<>();
        pair.policy = (forecast, limits) -> {
            outstanding.add(forecast.requiredBytes());
            if (decisions.getAndIncrement() == 0) {
                try {
                    pair.source.first.mdev.attribute("reinit", Long.toString(anew));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
                return Decision.CONTINUE;
            }
            return forecast.requiredBytes() == 0 ? Decision.SWITCH_OVER : Decision.CONTINUE;
        };

        MigrationReport report = pair.migrate();

        assertThat(pair.source.first.mdev.log()).contains("reinit " + anew);
        assertThat(pair.source.first.digest()).isNotEqualTo(pair.source.first.digestBefore);
        assertThat(outstanding).hasSizeGreaterThan(1).last().isEqualTo(0L);
        assertThat(report.preCopyBytes()).isGreaterThan(Sides.SIZE + anew);
    }

    @Test
    void shouldRunOnAtTheSourceWhenTheDestinationRefusesAStateOfAnotherSize() throws Exception {
        Sides pair = unlikeSides("full", 8 << 20);

        MigrationException failure = pair.failAtDestination();

        assertNames(failure, pair.destination.first, EINVAL);
        assertToldByPeer(pair.sourceFailure(), pair.destination.first, EINVAL);
        pair.assertTakenBack();
    }
}
