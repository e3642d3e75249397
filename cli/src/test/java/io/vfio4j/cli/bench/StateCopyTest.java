// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static io.vfio4j.cli.bench.Bench.MIB;
import static io.vfio4j.cli.bench.Bench.MINUTE;
import static io.vfio4j.cli.bench.Bench.SECOND;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.Faults;
import io.vfio4j.ffm.Errno;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StateCopyTest {
    private static final int CHUNK = 1 << 20;
    private static final long TICK = SECOND / 1000;

    /** Beside the contents: a header, a record's head for each piece, a trailer. */
    private static final long ROOM = 64 << 10;

    private final ArcTimes arcs = new ArcTimes();

    private static StateCopy alone(Bench bench, Pulse pulse) {
        return new StateCopy(bench.device, null, MINUTE, new ArcTimes(), bench.time, pulse);
    }

    @ParameterizedTest
    @ValueSource(strings = {"precopy=on,p2p=on", "precopy=on,p2p=off", "precopy=off,p2p=on", "precopy=off,p2p=off"})
    void shouldReadTheWholeStateOnceAndLeaveItAsItWas(String keys) throws IOException {
        try (Bench bench = new Bench("emulated:size=8MiB," + keys, TICK)) {
            CopyReport report = alone(bench, Pulse.NONE).copy(CHUNK, true);

            boolean preCopy = keys.startsWith("precopy=on");
            assertThat(report.most()).isEqualTo(preCopy ? report.preCopy() : report.stopCopy());
            assertThat(report.most().bytes()).isBetween(8 * MIB, 8 * MIB + ROOM);
            assertThat(report.most().writeNanos()).isZero();
            assertThat(report.saidBytes()).isEqualTo(report.stopCopy().bytes());
            bench.hasItsState();
        }
    }

    @Test
    void shouldCountEachReadAndTheStepsDownByTheClock() throws IOException {
        try (Bench bench = new Bench("emulated:size=8MiB", TICK)) {
            CopyReport report = alone(bench, Pulse.NONE).copy(CHUNK, true);

            // The emulator looks at the clock, too, so that a call of it takes some ticks.
            assertThat(report.preCopy().readNanos()).isGreaterThanOrEqualTo(9 * TICK);
            assertThat(report.quiesceNanos()).isGreaterThanOrEqualTo(TICK);
            assertThat(report.stopNanos()).isGreaterThanOrEqualTo(TICK);
            assertThat(report.drainNanos()).isGreaterThanOrEqualTo(2 * TICK);
            assertThat(report.preCopy().readRate())
                    .isEqualTo(report.preCopy().rate())
                    .isEqualTo(Math.round((double) report.preCopy().bytes()
                            * SECOND
                            / report.preCopy().readNanos()));
            assertThat(report.timeline().phases())
                    .extracting(Timeline.Phase::name)
                    .containsExactly("pre-copy", "stop-copy");
            assertThat(report.timeline().durationNanos()).isPositive();
        }
    }

    @Test
    void shouldReadEverythingWhileStoppedWhenToldTo() throws IOException {
        try (Bench bench = new Bench("emulated:size=8MiB", TICK)) {
            CopyReport report = alone(bench, Pulse.NONE).copy(CHUNK, false);

            assertThat(report.preCopy().bytes()).isZero();
            assertThat(report.saidBytes()).isEqualTo(report.stopCopy().bytes()).isGreaterThan(8 * MIB);
            bench.hasItsState();
        }
    }

    @Test
    void shouldEndPreCopyWhenTheDeviceChangesFasterThanItIsRead() throws IOException {
        try (Bench bench = new Bench("emulated:size=4MiB,dirty=64GiB/s", TICK)) {
            CopyReport report = alone(bench, Pulse.NONE).copy(CHUNK, true);

            assertThat(report.preCopy().bytes()).isBetween(8 * MIB, 10 * MIB);
            assertThat(report.stopCopy().bytes()).isGreaterThan(3 * MIB);
            assertThat(bench.device.state()).isEqualTo(MigrationState.RUNNING);
        }
    }

    @Test
    void shouldEndPreCopyWhenItsTimeIsOver() throws IOException {
        try (Bench bench = new Bench("emulated:size=8MiB", TICK)) {
            StateCopy copy = new StateCopy(bench.device, null, 2 * TICK, arcs, bench.time, Pulse.NONE);

            assertThat(copy.copy(CHUNK, true).stopCopy().bytes()).isGreaterThan(6 * MIB);
            bench.hasItsState();
        }
    }

    @Test
    void shouldWriteWhatItReadsToThePeerAndTimeItsArcs() throws IOException {
        try (Bench bench = new Bench("emulated:size=8MiB,dirty=1MiB/s,short-read=100000", TICK / 100)) {
            EmulatedDevice other = bench.add("emulated:size=8MiB,short-write=30000");
            long before = other.digest();
            try (VfioDevice peer = other.open()) {
                StateCopy copy = new StateCopy(bench.device, peer, MINUTE, arcs, bench.time, Pulse.NONE);
                CopyReport report = copy.copy(CHUNK, true);
                copy.copy(CHUNK, false);

                assertThat(report.preCopy().writeNanos()).isPositive();
                assertThat(report.preCopy().writeRate()).isPositive();
                assertThat(report.preCopy().rate()).isLessThan(report.preCopy().readRate());
                assertThat(arcs.histograms().keySet())
                        .extracting(Arc::toString)
                        .containsExactly("STOP → RESUMING", "RESUMING → STOP");
                assertThat(arcs.histograms().values()).allMatch(histogram -> histogram.getTotalCount() == 2);
                assertThat(other.digest()).as("it took the state").isNotEqualTo(before);
                assertThat(peer.state()).isEqualTo(MigrationState.RUNNING);
                assertThat(bench.device.state()).isEqualTo(MigrationState.RUNNING);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"READ", "WRITE", "SET_STATE"})
    void shouldKeepTheStateAndFreeThePeerWhenADriverFails(String kind) throws IOException {
        // Each call that there is, one after the other, until none is left to fail.
        boolean failed = true;
        for (int nth = 1; failed; nth++) {
            try (Bench bench = new Bench("emulated:size=2MiB", TICK)) {
                EmulatedDevice other = bench.add("emulated:size=2MiB");
                EmulatedDevice failing = kind.equals("WRITE") ? other : bench.emulated;
                failing.faults().on(Faults.Kind.valueOf(kind)).nth(nth).fail(Errno.EIO);
                try (VfioDevice peer = other.open()) {
                    StateCopy copy = new StateCopy(bench.device, peer, MINUTE, arcs, bench.time, Pulse.NONE);
                    failed = fails(copy);
                    assertThat(peer.state()).isEqualTo(MigrationState.RUNNING);
                }
                bench.hasItsState();
                assertThat(nth == 1 && !failed).as("no call failed").isFalse();
            }
        }
    }

    private static boolean fails(StateCopy copy) {
        try {
            copy.copy(CHUNK, true);
            return false;
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("EIO");
            return true;
        }
    }

    @Test
    void shouldKeepTheStateWhereverItIsCancelled() throws IOException {
        boolean ended = true;
        for (int beats = 1; ended; beats++) {
            try (Bench bench = new Bench("emulated:size=2MiB", TICK)) {
                AtomicInteger left = new AtomicInteger(beats);
                StateCopy copy = alone(bench, () -> {
                    if (left.decrementAndGet() == 0) {
                        throw new IOException("enough");
                    }
                });
                ended = isEnded(copy);
                bench.hasItsState();
                assertThat(beats == 1 && !ended).as("never cancelled").isFalse();
            }
        }
    }

    private static boolean isEnded(StateCopy copy) {
        try {
            copy.copy(CHUNK, true);
            return false;
        } catch (IOException e) {
            assertThat(e).hasMessage("enough");
            return true;
        }
    }

    @Test
    void shouldKnowNoRateOfAStateThatIsTiny() {
        CopyReport.Moved tiny = new CopyReport.Moved(49, 1_000, 1_000);

        assertThat(tiny.readRate()).isZero();
        assertThat(tiny.writeRate()).isZero();
        assertThat(tiny.rate()).isZero();
    }
}
