// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static io.vfio4j.emulator.Faults.Kind.DATA_SIZE;
import static io.vfio4j.emulator.Faults.Kind.GET_STATE;
import static io.vfio4j.emulator.Faults.Kind.PRECOPY_INFO;
import static io.vfio4j.emulator.Faults.Kind.READ;
import static io.vfio4j.emulator.Faults.Kind.RESET;
import static io.vfio4j.emulator.Faults.Kind.SET_STATE;
import static io.vfio4j.emulator.Faults.Kind.WRITE;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING_P2P;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.emulator.OpenDevice.Reply;
import io.vfio4j.ffm.Errno;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FaultsTest {
    private static final int EIO = Errno.EIO.negated();
    private static final int ENODEV = Errno.ENODEV.negated();

    private final Bench bench = new Bench();
    private final OpenDevice device = bench.open("emulated:size=64KiB");
    private final Faults faults = device.device.faults();

    @AfterEach
    void close() {
        bench.close();
    }

    @Test
    void shouldFailTheNthReadOnly() {
        faults.on(READ).nth(3).fail(Errno.EIO);
        int from = device.open(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.read(from, 10)).isEqualTo(10);
        assertThat(bench.read(from, 10)).isEqualTo(10);
        assertThat(bench.read(from, 10)).isEqualTo(EIO);
        assertThat(bench.read(from, 10)).isEqualTo(10);
    }

    @Test
    void shouldFailEveryKindOfCall() {
        faults.on(SET_STATE).fail(Errno.EBUSY);
        faults.on(GET_STATE).fail(Errno.EIO);
        faults.on(DATA_SIZE).fail(Errno.ENOMEM);
        faults.on(RESET).fail(Errno.EINTR);
        faults.on(PRECOPY_INFO).fail(Errno.EAGAIN);
        faults.on(WRITE).fail(Errno.EFAULT);
        assertThat(device.set(VFIO_DEVICE_STATE_STOP)).isEqualTo(new Reply(Errno.EBUSY.negated(), -1));
        assertThat(device.state()).isEqualTo(EIO);
        assertThat(device.dataSize()).isEqualTo(Errno.ENOMEM.negated());
        assertThat(device.fd.reset()).isEqualTo(Errno.EINTR.negated());
        int from = device.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(device.info(from).result()).isEqualTo(Errno.EAGAIN.negated());
        assertThat(device.info(from).result()).isZero();
        int to = device.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.kernel.write(to, bench.buffer, 0, 1)).isEqualTo(Errno.EFAULT.negated());
    }

    @Test
    void shouldStopHalfWayWhenAnArcFails() {
        faults.onArc(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY)
                .times(2)
                .fail(Errno.EIO);
        assertThat(device.set(VFIO_DEVICE_STATE_STOP_COPY)).isEqualTo(new Reply(EIO, -1));
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_STOP);
        assertThat(device.set(VFIO_DEVICE_STATE_STOP_COPY)).isEqualTo(new Reply(EIO, -1));
        assertThat(device.open(VFIO_DEVICE_STATE_STOP_COPY)).isNotNegative();
    }

    @Test
    void shouldGoToErrorWhenAnArcIsFatal() {
        int from = device.open(VFIO_DEVICE_STATE_PRE_COPY);
        faults.onArc(VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP).enterError(Errno.EIO);
        assertThat(device.set(VFIO_DEVICE_STATE_STOP)).isEqualTo(new Reply(EIO, -1));
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_ERROR);
        assertThat(bench.read(from, 1)).isEqualTo(ENODEV);
        assertThat(device.fd.reset()).isZero();
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    }

    @Test
    void shouldFailAReadAtAnOffsetAfterAShortOne() {
        faults.on(READ).atOffset(1000).fail(Errno.EIO);
        int from = device.open(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.read(from, 600)).isEqualTo(600);
        assertThat(bench.read(from, 600)).isEqualTo(400);
        assertThat(bench.read(from, 600)).isEqualTo(EIO);
        assertThat(bench.read(from, 600)).isEqualTo(600);
    }

    @Test
    void shouldFailAWriteAtAnOffset() {
        byte[] stream = bench.drain(device.open(VFIO_DEVICE_STATE_STOP_COPY));
        faults.on(WRITE).atOffset(stream.length - 1).fail(Errno.ENOMEM);
        int to = device.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.write(to, stream)).isEqualTo(Errno.ENOMEM.negated());
        assertThat(device.set(VFIO_DEVICE_STATE_STOP).result()).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldComeUpShort() {
        OpenDevice other = bench.open("emulated:size=64KiB,short-read=7,short-write=5");
        int from = other.open(VFIO_DEVICE_STATE_STOP_COPY);
        assertThat(bench.read(from, 100)).isEqualTo(7);
        other.device.faults().shortReads(0);
        byte[] rest = bench.drain(from);
        assertThat(rest.length).isGreaterThan(64 << 10);
        int to = other.open(VFIO_DEVICE_STATE_RESUMING);
        assertThat(bench.kernel.write(to, bench.buffer, 0, 10)).isEqualTo(5);
    }

    @Test
    void shouldDelayThroughTheInjectedSleeper() {
        List<Long> slept = new ArrayList<>();
        faults.sleepWith(slept::add);
        faults.on(SET_STATE).always().delay(Duration.ofMillis(5));
        faults.onArc(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P).delay(Duration.ofSeconds(1));
        device.move(VFIO_DEVICE_STATE_RUNNING_P2P);
        device.move(VFIO_DEVICE_STATE_STOP);
        assertThat(slept).containsExactly(5_000_000L, 1_000_000_000L, 5_000_000L);
        faults.clear();
        device.move(VFIO_DEVICE_STATE_RUNNING);
        assertThat(slept).hasSize(3);
    }

    @Test
    void shouldTakeItsTimeForEachArcOfTheWay() {
        List<Long> slept = new ArrayList<>();
        OpenDevice slow = bench.open("emulated:size=64KiB,arc=3ms");
        slow.device.faults().sleepWith(slept::add);
        slow.move(VFIO_DEVICE_STATE_STOP);
        assertThat(slept).containsExactly(3_000_000L, 3_000_000L);
    }

    @Test
    void shouldRunOnWhileAnArcTakesTime() {
        OpenDevice dirty = bench.open("emulated:size=64KiB,dirty=1MiB/s");
        long before = dirty.device.digest();
        dirty.device.faults().sleepWith(bench::pass);
        dirty.device
                .faults()
                .onArc(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P)
                .delay(Duration.ofSeconds(1));
        dirty.move(VFIO_DEVICE_STATE_RUNNING_P2P);
        assertThat(dirty.device.digest()).isNotEqualTo(before);
    }

    @Test
    void shouldResetInTheMiddleOfASession() {
        faults.on(READ).nth(2).reset();
        int from = device.open(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(bench.read(from, 10)).isEqualTo(10);
        assertThat(bench.read(from, 10)).isEqualTo(ENODEV);
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    }

    @Test
    void shouldResetAtTheEndOfASetThatIsInFlight() {
        faults.onArc(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_PRE_COPY).reset();
        Reply reply = device.set(VFIO_DEVICE_STATE_PRE_COPY);
        assertThat(reply.result()).isZero();
        assertThat(bench.read(reply.dataFd(), 1)).isEqualTo(ENODEV);
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    }

    @Test
    void shouldEnterErrorAndRunAnActionInTheMiddleOfASession() {
        int from = device.open(VFIO_DEVICE_STATE_PRE_COPY);
        List<String> ran = new ArrayList<>();
        faults.on(READ).run(() -> ran.add("once"));
        faults.on(READ).nth(2).enterError(Errno.EIO);
        assertThat(bench.read(from, 10)).isEqualTo(10);
        assertThat(bench.read(from, 10)).isEqualTo(EIO);
        assertThat(bench.read(from, 10)).isEqualTo(ENODEV);
        assertThat(ran).containsExactly("once");
        assertThat(device.state()).isEqualTo(VFIO_DEVICE_STATE_ERROR);
    }

    @Test
    void shouldKnowOffsetsOfReadsAndWritesOnly() {
        assertThatThrownBy(() -> faults.on(RESET).atOffset(1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("only READ and WRITE have an offset");
    }
}
