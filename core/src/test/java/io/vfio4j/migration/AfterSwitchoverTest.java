// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.observe.AfterSwitchover;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What goes when the destination runs already. */
@ExtendWith(LeakCheck.class)
class AfterSwitchoverTest {
    private static final int PIECES = 20;
    private static final int PIECE = 4096;

    @TempDir
    private Path folder;

    private final List<String> steps = Collections.synchronizedList(new ArrayList<>());

    /** Text, and pieces that can wait. */
    private final class LateHandler extends TextHandler {
        private final boolean atSource;
        private int sent;
        private int come;
        private volatile boolean takes = true;
        private volatile @Nullable IOException lost;
        private volatile Step beforePiece = piece -> {};

        LateHandler(String name, boolean atSource) {
            super(name, "text");
            this.atSource = atSource;
        }

        @Override
        public void pending(long thresholdBytes, Precision precision, Pending pending) {
            super.pending(thresholdBytes, precision, pending);
            pending.laterBytes(PIECES * PIECE);
        }

        @Override
        public boolean hasLater() {
            return true;
        }

        @Override
        public void saveLater(StateOutput out) throws IOException {
            steps.add(name + ".saveLater");
            while (sent < PIECES) {
                beforePiece.at(sent);
                PooledBuffer piece = out.acquire();
                piece.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + PIECE)
                        .putInt(sent);
                piece.length(PIECE);
                out.send(piece);
                sent++;
            }
        }

        @Override
        public void release() {
            steps.add(name + ".release");
        }

        @Override
        public void resume() {
            steps.add(name + ".resume" + (atSource ? " at the source" : ""));
        }

        @Override
        public void load(PooledBuffer chunk) throws IOException {
            if (chunk.length() != PIECE) {
                super.load(chunk);
                return;
            }
            beforePiece.at(come);
            int number = chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + PIECE)
                    .getInt();
            assertThat(number).isEqualTo(come);
            come++;
        }

        @Override
        public boolean takesLater() {
            return takes;
        }

        @Override
        public void laterLoaded() {
            steps.add(name + ".laterLoaded");
        }

        @Override
        public void laterLost(IOException cause) {
            steps.add(name + ".laterLost");
            lost = cause;
        }
    }

    @FunctionalInterface
    private interface Step {
        void at(int piece) throws IOException;
    }

    private final TextHandler plain = new TextHandler("plain", "nothing that could wait");
    private final TextHandler plainThere = new TextHandler("plain", "");
    private final LateHandler late = new LateHandler("late", true);
    private final LateHandler lateThere = new LateHandler("late", false);
    private final LateHandler other = new LateHandler("other", true);
    private final LateHandler otherThere = new LateHandler("other", false);

    private static MigrationParameters.Builder parameters() {
        return MigrationParameters.builder().chunkBytes(8192).peerLimit(Duration.ofSeconds(20));
    }

    private TwoSides sides() {
        return new TwoSides(LibC.system(), folder);
    }

    private TwoSides.Outcome migrate(TwoSides sides, MigrationParameters parameters) throws Exception {
        TwoSides.Outcome outcome =
                sides.migrate(List.of(plain, late, other), List.of(plainThere, lateThere, otherThere), parameters);
        // Whatever is lost, all runs at the destination.
        outcome.completed();
        assertThat(plainThere.text).isEqualTo("nothing that could wait");
        assertThat(lateThere.text).isEqualTo("text");
        assertThat(sides.sourceVm.runs()).isFalse();
        assertThat(sides.destinationVm.calls).containsExactly("resume");
        return outcome;
    }

    private static AfterSwitchover atSource(TwoSides.Outcome outcome) {
        return outcome.completed().after();
    }

    private static AfterSwitchover atDestination(TwoSides.Outcome outcome) {
        LoadReport report = Objects.requireNonNull(outcome.loadReport());
        return report.after();
    }

    private static void assertMissing(AfterSwitchover after, String reason) {
        assertThat(after.missing()).singleElement().satisfies(missing -> {
            assertThat(missing.handler()).isEqualTo("late");
            assertThat(missing.reason()).contains(reason);
        });
    }

    @ParameterizedTest
    @EnumSource(
            value = MigrationParameters.Overlap.class,
            names = {"ON", "OFF"})
    void shouldSendWhatCanWaitWhenTheDestinationRuns(MigrationParameters.Overlap overlap) throws Exception {
        TwoSides sides = sides();

        TwoSides.Outcome outcome = migrate(sides, parameters().overlap(overlap).build());

        assertThat(lateThere.come).isEqualTo(PIECES);
        assertThat(otherThere.come).isEqualTo(PIECES);
        assertThat(steps.subList(0, 2)).containsExactlyInAnyOrder("late.resume", "other.resume");
        assertThat(steps.subList(2, 6))
                .containsExactlyInAnyOrder(
                        "late.saveLater", "other.saveLater", "late.laterLoaded", "other.laterLoaded");
        assertThat(steps.subList(6, 8)).containsExactlyInAnyOrder("late.release", "other.release");
        assertThat(atSource(outcome).missing()).isEmpty();
        assertThat(atSource(outcome).bytes()).isEqualTo(2L * PIECES * PIECE);
        assertThat(atDestination(outcome).bytes()).isEqualTo(2L * PIECES * PIECE);
        assertThat(outcome.completed().stopCopyBytes()).isEqualTo(23 + 4 + 4);
        assertThat(sides.sourceEvents.phases)
                .endsWith(Phase.STOP_COPY, Phase.HANDOVER, Phase.AFTER_SWITCHOVER, Phase.COMPLETED);
        assertThat(sides.destinationEvents.phases).endsWith(Phase.HANDOVER, Phase.AFTER_SWITCHOVER, Phase.COMPLETED);
        assertThat(sides.sourceEvents.notices).isEmpty();
        assertThat(sides.destinationEvents.notices).isEmpty();
    }

    @Test
    void shouldSendWhatCanWaitBeforeTheEndOfAFile() throws Exception {
        TransportAddress file = new TransportAddress.File(folder.resolve("state"));
        MigrationParameters parameters = parameters().build();
        Recorder events = new Recorder();

        new OutgoingMigration(
                        LibC.system(),
                        List.of(plain, late),
                        new RecordingVm(),
                        parameters,
                        SwitchoverPolicy.STANDARD,
                        events)
                .run(file);
        LoadReport loaded = new IncomingMigration(
                        LibC.system(), List.of(lateThere, plainThere), new RecordingVm(), parameters, new Recorder())
                .run(file);

        assertThat(lateThere.come).isEqualTo(PIECES);
        assertThat(steps).containsExactly("late.saveLater", "late.release", "late.resume", "late.laterLoaded");
        assertThat(loaded.after().missing()).isEmpty();
        assertThat(events.phases).doesNotContain(Phase.AFTER_SWITCHOVER);
    }

    @Test
    void shouldHaveNoSuchPhaseWhenNothingCanWait() throws Exception {
        TwoSides sides = sides();

        TwoSides.Outcome outcome =
                sides.migrate(List.of(plain), List.of(plainThere), parameters().build());

        assertThat(outcome.completed().after()).isEqualTo(AfterSwitchover.NONE);
        assertThat(sides.sourceEvents.phases).doesNotContain(Phase.AFTER_SWITCHOVER);
        assertThat(sides.destinationEvents.phases).doesNotContain(Phase.AFTER_SWITCHOVER);
    }

    /** Nothing a peer sends is to reach a disk when its guest runs, whatever the peer says could wait. */
    @ParameterizedTest
    @EnumSource(
            value = MigrationParameters.Overlap.class,
            names = {"ON", "OFF"})
    void shouldRefuseWhatCouldWaitOfAHandlerThatTakesNothingOnceItRuns(MigrationParameters.Overlap overlap)
            throws Exception {
        TwoSides sides = sides();
        lateThere.takes = false;

        MigrationException failure = sides.migrate(
                        List.of(plain, late),
                        List.of(plainThere, lateThere),
                        parameters().overlap(overlap).build())
                .failed();

        assertThat(failure).hasMessageContaining("late: the source sent LATER, and this handler's takesLater says");
        assertThat(steps).contains("late.resume at the source").doesNotContain("late.resume", "late.saveLater");
        assertThat(lateThere.come).isZero();
        assertThat(lateThere.calls).contains("discard");
        assertThat(sides.sourceVm.runs()).isTrue();
        assertThat(sides.destinationVm.calls).isEmpty();
    }

    @Test
    void shouldRefuseAFileWithWhatCouldWaitForAHandlerThatTakesNothingOnceItRuns() throws Exception {
        TransportAddress file = new TransportAddress.File(folder.resolve("state"));
        MigrationParameters parameters = parameters().build();
        lateThere.takes = false;
        new OutgoingMigration(
                        LibC.system(),
                        List.of(plain, late),
                        new RecordingVm(),
                        parameters,
                        SwitchoverPolicy.STANDARD,
                        new Recorder())
                .run(file);
        RecordingVm vm = new RecordingVm();

        assertThatThrownBy(() -> new IncomingMigration(
                                LibC.system(), List.of(plainThere, lateThere), vm, parameters, new Recorder())
                        .run(file))
                .hasMessageContaining("late: the source sent LATER, and this handler's takesLater says");

        assertThat(lateThere.come).isZero();
        assertThat(vm.calls).isEmpty();
    }

    @Test
    void shouldSayWhatIsMissingWhenTheSourceCannotSendIt() throws Exception {
        TwoSides sides = sides();
        late.beforePiece = piece -> fail(piece, "the disk is gone");

        TwoSides.Outcome outcome = migrate(sides, parameters().build());

        assertMissing(atSource(outcome), "late: the disk is gone");
        assertMissing(atDestination(outcome), "late: ");
        assertThat(lateThere.lost).isNotNull();
        assertThat(otherThere.come).isEqualTo(PIECES);
        assertThat(steps).contains("late.laterLost", "other.laterLoaded", "late.release", "other.release");
        assertThat(sides.sourceEvents.notices).singleElement().asString().contains("late: the disk is gone");
        assertThat(sides.destinationEvents.notices).singleElement().asString().contains("late: ");
    }

    private static void fail(int piece, String why) throws IOException {
        if (piece == PIECES / 2) {
            throw new IOException(why);
        }
    }

    @Test
    void shouldSayWhatIsMissingWhenTheDestinationCannotLoadIt() throws Exception {
        TwoSides sides = sides();
        lateThere.beforePiece = piece -> fail(piece, "no space");

        TwoSides.Outcome outcome = migrate(sides, parameters().build());

        assertMissing(atDestination(outcome), "late: no space");
        assertThat(atSource(outcome).missing())
                .singleElement()
                .extracting(AfterSwitchover.Missing::handler)
                .isEqualTo("late");
        assertThat(lateThere.lost).hasMessage("no space");
        assertThat(otherThere.come).isEqualTo(PIECES);
    }

    @Test
    void shouldGiveUpWhatCouldWaitWhenTheSourceCancels() throws Exception {
        TwoSides sides = sides();
        CountDownLatch cancelled = new CountDownLatch(1);
        late.beforePiece = piece -> {
            if (piece == 2) {
                assertThat(sides.outgoing().cancel()).isTrue();
                cancelled.countDown();
            }
        };
        other.beforePiece = piece -> await(cancelled);

        TwoSides.Outcome outcome = migrate(sides, parameters().build());

        assertThat(atSource(outcome).missing()).hasSize(2);
        assertThat(atDestination(outcome).missing()).hasSize(2);
        assertThat(sides.sourceEvents.phases).endsWith(Phase.COMPLETED);
        assertThat(sides.outgoing().cancel()).isFalse();
    }

    @Test
    void shouldGiveUpWhatCouldWaitWhenTheDestinationCancels() throws Exception {
        TwoSides sides = sides();
        CountDownLatch cancelled = new CountDownLatch(1);
        sides.destinationEvents.at(Phase.AFTER_SWITCHOVER, () -> {
            assertThat(sides.incoming().cancel()).isTrue();
            cancelled.countDown();
        });
        late.beforePiece = piece -> await(cancelled);
        other.beforePiece = piece -> await(cancelled);

        TwoSides.Outcome outcome = migrate(sides, parameters().build());

        assertThat(atSource(outcome).missing()).hasSize(2);
        assertThat(atDestination(outcome).missing()).hasSize(2);
        assertThat(sides.destinationEvents.phases).endsWith(Phase.COMPLETED);
        assertThat(sides.incoming().cancel()).isFalse();
    }

    private static void await(CountDownLatch latch) throws IOException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Test
    void shouldKeepToTheRateLimitThereToo() throws Exception {
        SimulatedPair pair = new SimulatedPair(1);
        MigrationParameters slow = parameters()
                .maxBytesPerSecond(PIECES * PIECE)
                .overlap(MigrationParameters.Overlap.OFF)
                .build();

        TwoSides.Outcome outcome = pair.migrate(List.of(late), List.of(lateThere), slow, SwitchoverPolicy.STANDARD);

        assertThat(lateThere.come).isEqualTo(PIECES);
        assertThat(atSource(outcome).nanos()).isBetween(SimulatedWorld.SECOND / 2, 2 * SimulatedWorld.SECOND);
    }
}
