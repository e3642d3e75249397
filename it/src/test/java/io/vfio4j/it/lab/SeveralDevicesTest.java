// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several devices of real drivers that migrate together, as their own logs show it. */
@Tag("lab")
class SeveralDevicesTest extends BetweenTwoSides {
    /** Long enough for the other devices to go on meanwhile, if nothing kept them. */
    private static final String A_WHILE = " 150";

    private static final long DELAY_MILLIS = 5_000;

    @Test
    void shouldTakeAllDownAndUpInTwoSteps() throws Exception {
        Sides sides = sides("full", "noprecopy", "full");
        sides.source.devices.get(0).mdev.attribute("delay_arc", "PRE_COPY PRE_COPY_P2P" + A_WHILE);
        sides.destination.devices.get(2).mdev.attribute("delay_arc", "STOP RUNNING_P2P" + A_WHILE);

        sides.migrate();

        PeerToPeerOrder.assertDownInTwoSteps(sides.source.mdevs());
        PeerToPeerOrder.assertUpInTwoSteps(sides.destination.mdevs());
    }

    @Test
    void shouldWithdrawTheSwitchoverWhenADeviceStartsOverLate() throws Exception {
        long anew = 128 << 10;
        Sides sides = sides("full", "full", "full");
        Testdev late = sides.source.devices.get(1);
        AtomicBoolean done = new AtomicBoolean();
        sides.source.onStop(() -> {
            if (done.compareAndSet(false, true)) {
                late.mdev.attribute("reinit", Long.toString(anew));
            }
        });

        MigrationReport report = sides.complete();

        assertThat(sides.source.vmCalls).containsExactly("stop", "resume", "stop");
        assertThat(sides.source.notices)
                .singleElement()
                .asString()
                .contains("withdrawn")
                .endsWith(" device1");
        assertThat(late.digest()).isNotEqualTo(late.digestBefore);
        assertThat(report.handlers().get(1).preCopyBytes()).isGreaterThan(Sides.SIZE + anew);
        for (Testdev each : sides.source.devices) {
            assertThat(each.mdev.log().stream().filter(event -> event.startsWith("arc")))
                    .containsExactly(
                            "arc RUNNING PRE_COPY",
                            "arc PRE_COPY PRE_COPY_P2P",
                            "arc PRE_COPY_P2P PRE_COPY",
                            "arc PRE_COPY PRE_COPY_P2P",
                            "arc PRE_COPY_P2P STOP_COPY",
                            "arc STOP_COPY STOP");
        }
    }

    // ---- drivers that take their time ----

    @Test
    void shouldWaitForTheSourceDeviceThatTakesLongest() throws Exception {
        Sides sides = sides("full", "full");
        sides.source.devices.get(1).mdev.attribute("delay_arc", "PRE_COPY_P2P STOP_COPY " + DELAY_MILLIS);

        MigrationReport report = sides.migrate();

        long delay = TimeUnit.MILLISECONDS.toNanos(DELAY_MILLIS);
        assertThat(report.handlers())
                .element(1)
                .extracting(HandlerReport::stopNanos)
                .satisfies(nanos -> assertThat(nanos)
                        .isGreaterThanOrEqualTo(delay)
                        .isLessThanOrEqualTo(report.downtime().stopCopy()));
    }

    @Test
    void shouldWaitForTheDestinationDeviceThatTakesLongest() throws Exception {
        Sides sides = sides("full", "full");
        sides.destination.devices.get(1).mdev.attribute("delay_arc", "RESUMING STOP " + DELAY_MILLIS);

        MigrationReport report = sides.migrate();

        assertThat(report.downtime().drain() + report.downtime().load())
                .isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(DELAY_MILLIS));
    }

    // ---- devices of other kinds ----

    @Test
    void shouldMoveAnotherDriversDeviceBesideTheTestDevice() throws Exception {
        Sides sides = sides("full");
        VfioDevice from = serialPort();
        VfioDevice to = serialPort();
        byte[] state = SerialPort.giveState(from, 0x54);
        sides.source.others.add(new VfioDeviceHandler("serial", from));
        sides.destination.others.addFirst(new VfioDeviceHandler("serial", to));

        MigrationReport report = sides.migrate();

        assertThat(from.features().p2p()).isTrue();
        assertThat(report.handlers()).extracting(HandlerReport::name).containsExactly("device0", "serial");
        assertThat(report.handlers())
                .element(1)
                .satisfies(serial -> assertThat(serial.preCopyBytes() + serial.stopCopyBytes())
                        .isEqualTo(state.length));
        assertThat(from.state()).isEqualTo(MigrationState.STOP);
        assertThat(to.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(SerialPort.stateOf(to)).isEqualTo(state);
    }

    private VfioDevice serialPort() throws IOException {
        return opened(VfioHost.system().open(opened(new Mdev("mtty-2")).cdev()));
    }

    @ParameterizedTest
    @CsvSource({"nop2p", "minimal"})
    void shouldRefuseADeviceThatCannotBeQuiescedBesideOthers(String type) throws Exception {
        Sides sides = sides("full", type);

        MigrationException failure = sides.failAlone();

        assertThat(failure.reason()).isEqualTo(Reason.DEVICE);
        assertThat(failure).hasMessageStartingWith("device1: ").hasMessageContaining("peer-to-peer");
        assertThat(sides.source.vmCalls).isEmpty();
        for (Testdev each : sides.source.devices) {
            assertThat(each.mdev.log()).containsExactly("open");
            each.assertUntouched(MigrationState.RUNNING);
        }
    }

    @ParameterizedTest
    @CsvSource({"nop2p", "minimal"})
    void shouldMoveADeviceThatCannotBeQuiescedWhereTheCallerAllowsIt(String type) throws Exception {
        Sides sides = sides("full", type);
        sides.parameters.allowDevicesWithoutP2p(true);

        sides.migrate();

        for (Testdev each : sides.source.devices) {
            assertThat(each.digest()).isEqualTo(each.digestBefore);
        }
    }
}
