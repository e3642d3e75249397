// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.assertRefused;
import static io.vfio4j.dirty.Guest.ALL;
import static io.vfio4j.dirty.Guest.HIGH;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.VcpuFd;
import io.vfio4j.ffm.kvm.VmFd;
import io.vfio4j.testing.LeakCheck;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest in real mode writes known pages, and KVM's rings tell which. Needs {@code /dev/kvm}. */
@Tag("kvm")
@ExtendWith(LeakCheck.class)
class KvmRingTrackerTest {
    private static final int RING_BYTES = 65_536;

    /** The shortest ring that there is: 256 entries, of which KVM keeps 64 back, so it is full with 192 pages. */
    private static final int SHORT_RING_BYTES = 4096;

    /** Real calls, but for what resetting the rings returns. */
    private static final class Calls extends ForwardingLibC {
        final Deque<Integer> resets = new ArrayDeque<>();

        @Override
        public int ioctl(int fd, long request, long value) {
            Integer answer = request == Kvm.KVM_RESET_DIRTY_RINGS ? resets.poll() : null;
            return answer == null ? super.ioctl(fd, request, value) : answer;
        }
    }

    private final Calls calls = new Calls();

    @SuppressWarnings("NullAway.Init") // makeGuest() makes it
    private Guest guest;

    @BeforeEach
    void makeGuest() {
        guest = new Guest(calls);
        assumeTrue(
                guest.vm.checkExtension(Kvm.KVM_CAP_DIRTY_LOG_RING_ACQ_REL) > 0,
                "/dev/kvm: KVM_CAP_DIRTY_LOG_RING_ACQ_REL is missing");
    }

    @AfterEach
    void close() {
        if (guest != null) {
            guest.close();
        }
    }

    private KvmRingTracker tracker(int ringBytes) {
        return new KvmRingTracker(guest.vm, guest.vcpuFds(), ringBytes, guest.slots());
    }

    /** The shortest ring that this processor takes, or no test. */
    private void enableShortRing() throws DirtyTrackingException {
        try {
            KvmRingTracker.enable(guest.vm, SHORT_RING_BYTES);
        } catch (DirtyTrackingException e) {
            assumeTrue(e.problem() != Problem.BUSY, "/dev/kvm: a ring of 4 KiB is too short for this processor");
            throw e;
        }
    }

    @Test
    void shouldReportExactlyThePagesThatTheGuestWritesAndForgetThem() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu vcpu = guest.addVcpu();
        vcpu.write(4);
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            assertThat(tracker.start(List.of(ALL), PAGE)).isEqualTo(PAGE);
            assertThat(collect(tracker, ALL)).as("what was written before").isEmpty();

            vcpu.write(5, 63, 64, 99, 100, 200, 255);
            assertThat(collect(tracker, ALL))
                    .containsExactly(
                            pages(0, 5, 1), pages(0, 63, 2), pages(0, 99, 2), pages(0, 200, 1), pages(0, 255, 1));
            assertThat(collect(tracker, ALL)).isEmpty();

            vcpu.write(64, 7);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 7, 1), pages(0, 64, 1));
            vcpu.write(64);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 64, 1));

            guest.memory.set(JAVA_BYTE, 50 * PAGE, (byte) 1);
            assertThat(collect(tracker, ALL)).as("this process's own writes").isEmpty();
            assertThat(tracker.capability().sees()).containsExactly(Writer.GUEST_CPU);
            assertThat(tracker.capability().source()).isEqualTo("KVM dirty ring");
        }
    }

    @Test
    void shouldKeepWhatIsNotCollectedForLater() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            tracker.start(List.of(pages(0, 8, 10), pages(0, 90, 100)), PAGE);
            vcpu.write(4, 8, 17, 18, 92, 99, 100, 150, 250);

            assertThat(collect(tracker, pages(0, 99, 10))).containsExactly(pages(0, 99, 2));
            assertThat(tracker.harvest()).isZero();
            vcpu.write(99);
            assertThat(tracker.harvest()).isEqualTo(1);
            assertThat(collect(tracker, pages(0, 8, 10))).containsExactly(pages(0, 8, 1), pages(0, 17, 1));
            assertThat(collect(tracker, pages(0, 90, 100)))
                    .containsExactly(pages(0, 92, 1), pages(0, 99, 1), pages(0, 150, 1));
            assertThat(collect(tracker, pages(0, 90, 100))).isEmpty();
        }
    }

    @Test
    void shouldLoseNoPageOfMoreThanTheRingHolds() throws Exception {
        enableShortRing();
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(SHORT_RING_BYTES)) {
            tracker.start(List.of(ALL), PAGE);
            vcpu.program(IntStream.range(8, 256).toArray());
            for (int round = 0; round < 5; round++) {
                int[] harvested = {0};
                int full = vcpu.run(() -> {
                    int entries = tracker.harvest();
                    assertThat(entries).isGreaterThanOrEqualTo(192);
                    harvested[0] += entries;
                    return entries;
                });

                assertThat(full).as("KVM_EXIT_DIRTY_RING_FULL").isEqualTo(1);
                assertThat(harvested[0]).isLessThan(248);
                assertThat(collect(tracker, ALL)).containsExactly(pages(0, 8, 248));
                assertThat(collect(tracker, ALL)).isEmpty();
            }
        }
    }

    @Test
    void shouldReportWhatEachVirtualCpuWrites() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu first = guest.addVcpu();
        Guest.Vcpu second = guest.addVcpu();
        Guest.Vcpu third = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            tracker.start(List.of(ALL), PAGE);
            second.write(20, 21);
            first.write(21, 30);
            third.write(200);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 20, 2), pages(0, 30, 1), pages(0, 200, 1));
            third.write(30);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 30, 1));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {SHORT_RING_BYTES, RING_BYTES})
    void shouldLoseNothingWhileTheGuestRunsAndItsThreadsHarvest(int ringBytes) throws Exception {
        if (ringBytes == SHORT_RING_BYTES) {
            enableShortRing();
        } else {
            KvmRingTracker.enable(guest.vm, ringBytes);
        }
        KvmRingTracker[] tracker = new KvmRingTracker[1];
        try (RunningGuest running = new RunningGuest(guest, 2, () -> tracker[0].harvest())) {
            try (KvmRingTracker made = tracker(ringBytes)) {
                tracker[0] = made;
                made.start(List.of(ALL), PAGE);
                running.runAndCopy(made);
            }
        }
    }

    /** Where in the ring the kernel is, it does not tell. */
    @Test
    void shouldGoOnWhereAnotherTrackerHasLeftOff() throws Exception {
        enableShortRing();
        Guest.Vcpu vcpu = guest.addVcpu();
        for (int round = 0; round < 10; round++) {
            try (KvmRingTracker tracker = tracker(SHORT_RING_BYTES)) {
                tracker.start(List.of(ALL), PAGE);
                assertThat(collect(tracker, ALL)).isEmpty();
                vcpu.writeAll(8, 50);
                assertThat(collect(tracker, ALL)).containsExactly(pages(0, 8, 50));
                // Left behind, for the next one to drop.
                vcpu.writeAll(100, 40);
            }
        }
    }

    @Test
    void shouldBeginAnewAfterAStop() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            tracker.start(List.of(ALL), PAGE);
            vcpu.write(20);
            tracker.stop();
            tracker.stop();
            vcpu.write(21);
            tracker.start(List.of(ALL), PAGE);
            assertThat(collect(tracker, ALL)).isEmpty();
            vcpu.write(22);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 22, 1));
            tracker.close();
            assertThat(tracker.harvest())
                    .as("harvesting what is closed is harmless")
                    .isZero();
            assertRefused(Problem.NOT_STARTED, () -> tracker.start(List.of(ALL), PAGE))
                    .isEqualTo("KVM dirty ring: it is closed");
        }
    }

    /** What is harvested but not reset stays unprotected, and its next write unseen. */
    @Test
    void shouldResetAllThatWasHarvestedThoughSignalsCutItShort() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            tracker.start(List.of(ALL), PAGE);
            vcpu.writeAll(10, 20);
            calls.resets.addAll(List.of(Errno.EINTR.negated(), 0, Errno.EINTR.negated()));
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 10, 20));
            assertThat(calls.resets).isEmpty();
            vcpu.writeAll(10, 20);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 10, 20));
        }
    }

    @Test
    void shouldCallEverythingDirtyUntilTheRingsCanBeReset() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            tracker.start(List.of(ALL), PAGE);
            vcpu.write(10, 11);
            int failure = Errno.ENOMEM.negated();
            calls.resets.addAll(List.of(failure, failure, failure, failure));
            assertThat(collectEverything(tracker, ALL)).contains("reading KVM's dirty pages", "ENOMEM (12)");
            assertThat(collectEverything(tracker, ALL)).contains("ENOMEM (12)");
            assertThat(calls.resets).isEmpty();

            assertThat(collect(tracker, ALL)).isEmpty();
            vcpu.write(10);
            assertThat(collect(tracker, ALL)).containsExactly(pages(0, 10, 1));
        }
    }

    @Test
    void shouldBelieveThatSomebodyElseHasResetThem() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            tracker.start(List.of(ALL), PAGE);
            vcpu.write(10);
            for (int i = 0; i < 100; i++) {
                calls.resets.add(0);
            }
            assertThat(tracker.harvest()).isEqualTo(1);
            assertThat(calls.resets).isNotEmpty();
        }
    }

    @Test
    void shouldRefuseToBeEnabledAfterAVirtualCpuOrTwice() throws Exception {
        guest.addVcpu();
        assertRefused(Problem.BUSY, () -> KvmRingTracker.enable(guest.vm, RING_BYTES))
                .contains("there are virtual CPUs or rings already")
                .contains("enable it once, before the virtual CPUs")
                .endsWith("EINVAL (22)");
        try (Guest other = new Guest(calls)) {
            KvmRingTracker.enable(other.vm, RING_BYTES);
            assertRefused(Problem.BUSY, () -> KvmRingTracker.enable(other.vm, RING_BYTES))
                    .contains("enable it once");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -65_536, 2048, 65_537, 98_304, 1 << 30})
    void shouldRefuseALengthThatNoRingHas(int ringBytes) {
        assertRefused(Problem.BAD_PAGE_SIZE, () -> KvmRingTracker.enable(guest.vm, ringBytes))
                .contains("a power of two of bytes from 4096 to ")
                .contains("not " + ringBytes);
    }

    @Test
    void shouldSayThatThereAreNoRings() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmRingTracker tracker = tracker(RING_BYTES)) {
            assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(ALL), PAGE))
                    .isEqualTo("KVM dirty ring: the virtual machine has no rings; enable them before its first virtual "
                            + "CPU: EINVAL (22)");
        }
        vcpu.write(9);
        assertThat(guest.readLog(HIGH)).as("nothing is logged").isEqualTo(Errno.ENOENT.negated());
    }

    @ParameterizedTest
    @ValueSource(ints = {RING_BYTES / 2, RING_BYTES * 2})
    void shouldSayThatTheRingsAreOfAnotherLength(int ringBytes) throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        guest.addVcpu();
        try (KvmRingTracker tracker = tracker(ringBytes)) {
            assertRefused(Problem.BAD_PAGE_SIZE, () -> tracker.start(List.of(ALL), PAGE))
                    .contains("a virtual CPU's ring does not have " + ringBytes + " bytes; name the length that was "
                            + "enabled");
        }
    }

    @Test
    void shouldSayThatAnFdIsClosed() throws Exception {
        KvmRingTracker.enable(guest.vm, RING_BYTES);
        guest.addVcpu();
        List<VcpuFd> closed = List.of(new VcpuFd(LibC.system(), 1 << 20));
        try (KvmRingTracker tracker = new KvmRingTracker(guest.vm, closed, RING_BYTES, guest.slots())) {
            assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(ALL), PAGE))
                    .contains("EBADF (9)")
                    .contains("is its fd open?");
        }
        VmFd none = new VmFd(LibC.system(), 1 << 20);
        try (KvmRingTracker tracker = new KvmRingTracker(none, guest.vcpuFds(), RING_BYTES, guest.slots())) {
            assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(ALL), PAGE))
                    .contains("the fd is closed; open it again: EBADF (9)");
        }
        assertRefused(Problem.FOREIGN, () -> KvmRingTracker.enable(none, RING_BYTES))
                .contains("the fd is closed; open it again: EBADF (9)");
    }
}
