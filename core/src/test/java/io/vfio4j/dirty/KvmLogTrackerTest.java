// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.assertRefused;
import static io.vfio4j.dirty.Guest.ALL;
import static io.vfio4j.dirty.Guest.HIGH;
import static io.vfio4j.dirty.Guest.LOW;
import static io.vfio4j.testing.DirtyPages.PAGE;
import static io.vfio4j.testing.DirtyPages.collect;
import static io.vfio4j.testing.DirtyPages.collectEverything;
import static io.vfio4j.testing.DirtyPages.pages;
import static io.vfio4j.testing.DirtyPages.runs;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.VmFd;
import io.vfio4j.testing.LeakCheck;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A guest in real mode writes known pages, and KVM's log tells which. Needs {@code /dev/kvm}. */
@Tag("kvm")
@ExtendWith(LeakCheck.class)
class KvmLogTrackerTest {
    private static final int KVM_CAP_MULTI_ADDRESS_SPACE = 118;
    private static final int RING_BYTES = 65_536;

    /** Real calls, but for ioctls that a test wants to fail, or not to be there. */
    private static final class Calls extends ForwardingLibC {
        final Map<Long, Errno> failing = new HashMap<>();
        boolean manualProtect = true;

        @Override
        public int ioctl(int fd, long request, long value) {
            boolean asked = request == Kvm.KVM_CHECK_EXTENSION && value == Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2;
            return asked && !manualProtect ? 0 : super.ioctl(fd, request, value);
        }

        @Override
        public int ioctl(int fd, long request, MemorySegment argument) {
            Errno error = failing.get(request);
            return error == null ? super.ioctl(fd, request, argument) : error.negated();
        }
    }

    private final Calls calls = new Calls();
    private final Arena arena = Arena.ofConfined();

    @SuppressWarnings("NullAway.Init") // makeGuest() makes it
    private Guest guest;

    @SuppressWarnings("NullAway.Init") // makeGuest() makes it
    private KvmLogTracker tracker;

    @BeforeEach
    void makeGuest() {
        guest = new Guest(calls);
        tracker = new KvmLogTracker(guest.vm, guest.slots());
    }

    @AfterEach
    void close() {
        arena.close();
        if (guest != null) {
            tracker.close();
            guest.close();
        }
    }

    @Test
    void shouldReportExactlyThePagesThatTheGuestWritesAndForgetThem() throws Exception {
        assumeTrue(
                (guest.vm.checkExtension(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
                                & Kvm.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
                        != 0,
                "/dev/kvm: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is missing");
        reportExactly();
    }

    @Test
    void shouldReportExactlyWithALogThatClearsItself() throws Exception {
        calls.manualProtect = false;
        reportExactly();
    }

    private void reportExactly() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        vcpu.write(4);
        assertThat(tracker.start(List.of(ALL), PAGE)).isEqualTo(PAGE);
        assertThat(collect(tracker, ALL)).as("what was written before").isEmpty();

        vcpu.write(5, 63, 64, 99, 100, 200, 255);
        assertThat(collect(tracker, ALL))
                .containsExactly(pages(0, 5, 1), pages(0, 63, 2), pages(0, 99, 2), pages(0, 200, 1), pages(0, 255, 1));
        assertThat(collect(tracker, ALL)).isEmpty();

        vcpu.write(64, 7);
        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 7, 1), pages(0, 64, 1));
        vcpu.write(64);
        vcpu.write(64);
        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 64, 1));
    }

    @Test
    void shouldKeepWhatIsNotCollectedForLater() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        tracker.start(List.of(pages(0, 0, 50), pages(0, 50, 206)), PAGE);
        vcpu.write(5, 30, 31, 49, 50, 98, 99, 100, 101, 200);

        assertThat(collect(tracker, pages(0, 31, 20))).containsExactly(pages(0, 31, 1), pages(0, 49, 2));
        assertThat(collect(tracker, pages(0, 31, 20))).isEmpty();
        vcpu.write(31);
        assertThat(collect(tracker, pages(0, 99, 2))).as("in two slots").containsExactly(pages(0, 99, 2));
        assertThat(collect(tracker, ALL))
                .containsExactly(pages(0, 5, 1), pages(0, 30, 2), pages(0, 98, 1), pages(0, 101, 1), pages(0, 200, 1));
        assertThat(collect(tracker, ALL)).isEmpty();
    }

    @Test
    void shouldNotSeeWhatThisProcessWrites() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        tracker.start(List.of(ALL), PAGE);

        guest.memory.set(JAVA_BYTE, 50 * PAGE, (byte) 1);
        vcpu.write(60);

        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 60, 1));
        assertThat(tracker.capability().blindTo()).containsExactly(Writer.DEVICE, Writer.THIS_PROCESS);
    }

    @Test
    void shouldAddToBitmapsOfOtherPagesAndOtherBegins() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        tracker.start(List.of(ALL), 16 * PAGE);
        vcpu.write(17, 95, 128);
        DirtyBitmap bitmap = new DirtyBitmap(arena, pages(0, 0, 512), 32 * PAGE);
        bitmap.mark(pages(0, 300, 1));

        assertThat(tracker.collect(ALL, bitmap)).isEqualTo(Collected.REPORTED);

        assertThat(runs(bitmap))
                .containsExactly(pages(0, 0, 32), pages(0, 64, 32), pages(0, 128, 32), pages(0, 288, 32));
        vcpu.write(99, 110, 111);
        DirtyBitmap shifted = new DirtyBitmap(arena, pages(0, 93, 30), PAGE);
        assertThat(tracker.collect(pages(0, 95, 16), shifted)).isEqualTo(Collected.REPORTED);
        assertThat(runs(shifted)).containsExactly(pages(0, 99, 1), pages(0, 110, 1));
        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 111, 1));
    }

    @Test
    void shouldLogOnlyTheSlotsThatAreWatchedAndOnlyWhileTheyAre() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        tracker.start(List.of(pages(0, 120, 10)), PAGE);
        assertThat(guest.readLog(LOW)).isEqualTo(Errno.ENOENT.negated());
        vcpu.write(5, 125, 200);
        assertThat(collect(tracker, pages(0, 120, 10))).containsExactly(pages(0, 125, 1));
        vcpu.write(126);
        tracker.stop();
        assertThat(guest.readLog(HIGH)).isEqualTo(Errno.ENOENT.negated());

        tracker.start(List.of(ALL), PAGE);
        assertThat(collect(tracker, ALL)).as("of an earlier watch").isEmpty();
        vcpu.write(6);
        assertThat(collect(tracker, ALL)).containsExactly(pages(0, 6, 1));
        tracker.close();
        tracker.close();
        assertThat(guest.readLog(LOW)).isEqualTo(Errno.ENOENT.negated());
        assertThat(guest.readLog(HIGH)).isEqualTo(Errno.ENOENT.negated());
    }

    @Test
    void shouldLoseNothingWhileTheGuestRuns() throws Exception {
        try (RunningGuest running = new RunningGuest(guest, 1, () -> 0)) {
            tracker.start(List.of(ALL), PAGE);
            running.runAndCopy(tracker);
        }
    }

    @Test
    void shouldSeeWhatIsWrittenInEachAddressSpace() throws Exception {
        assumeTrue(
                guest.vm.checkExtension(KVM_CAP_MULTI_ADDRESS_SPACE) > 1,
                "/dev/kvm: KVM_CAP_MULTI_ADDRESS_SPACE is missing");
        GuestSlot low = guest.slot(LOW);
        GuestSlot again = new GuestSlot(1 << 16 | LOW.slot(), 0, low.guest(), low.userAddress());
        assertThat(guest.set(again)).isZero();
        Guest.Vcpu vcpu = guest.addVcpu();
        try (KvmLogTracker both = new KvmLogTracker(guest.vm, List.of(again, low))) {
            both.start(List.of(low.guest()), PAGE);
            vcpu.write(20);
            assertThat(collect(both, low.guest())).containsExactly(pages(0, 20, 1));
        }
        try (KvmLogTracker twice = new KvmLogTracker(guest.vm, List.of(low, again))) {
            assertRefused(Problem.BAD_RANGE, () -> twice.start(List.of(pages(0, 50, 100)), PAGE))
                    .as("twice as much of half of it")
                    .contains("not all in memory slots");
        }
    }

    @Test
    void shouldRefuseRangesThatAreInNoSlot() {
        KvmLogTracker half = new KvmLogTracker(guest.vm, List.of(guest.slot(HIGH)));

        assertRefused(Problem.BAD_RANGE, () -> half.start(List.of(pages(0, 200, 1), pages(0, 90, 20)), PAGE))
                .isEqualTo("KVM dirty log: the range 0x5a000-0x6dfff is not all in memory slots; name the slots that "
                        + "it is in");
        assertThat(guest.readLog(HIGH)).isEqualTo(Errno.ENOENT.negated());
    }

    @Test
    void shouldSayThatASlotIsNotAsDescribedAndLogNone() {
        GuestSlot high = guest.slot(HIGH);
        GuestSlot other = new GuestSlot(high.slot(), 0, high.guest(), high.userAddress() - PAGE);
        KvmLogTracker wrong = new KvmLogTracker(guest.vm, List.of(guest.slot(LOW), other));

        assertRefused(Problem.FOREIGN, () -> wrong.start(List.of(ALL), PAGE))
                .isEqualTo("KVM dirty log: slot 7 is not set as it was described (0x64000-0xfffff): EINVAL (22)");

        assertThat(guest.readLog(LOW)).isEqualTo(Errno.ENOENT.negated());
        assertThat(guest.readLog(HIGH)).isEqualTo(Errno.ENOENT.negated());
    }

    @Test
    void shouldCallEverythingDirtyWhenTheLogCannotBeReadAndLoseNothing() throws Exception {
        Guest.Vcpu vcpu = guest.addVcpu();
        tracker.start(List.of(ALL), PAGE);
        vcpu.write(10, 150);

        calls.failing.put(Kvm.KVM_GET_DIRTY_LOG, Errno.ENOMEM);
        assertThat(collectEverything(tracker, pages(0, 0, 50)))
                .isEqualTo("KVM dirty log: reading KVM's dirty pages for 0x0-0x31fff failed (ENOMEM (12)): everything "
                        + "in it counts as dirty");
        calls.failing.clear();
        calls.failing.put(Kvm.KVM_CLEAR_DIRTY_LOG, Errno.EFAULT);
        assertThat(collectEverything(tracker, pages(0, 90, 20))).contains("EFAULT (14)");
        calls.failing.clear();

        assertThat(collect(tracker, ALL)).contains(pages(0, 150, 1));
        assertThat(collect(tracker, ALL)).isEmpty();
        guest.remove(HIGH);
        assertThat(collectEverything(tracker, ALL)).contains("0x64000-0xfffff failed (ENOENT (2))");
    }

    @Test
    void shouldNotBeginALogThatCannotBeRead() throws Exception {
        calls.failing.put(Kvm.KVM_GET_DIRTY_LOG, Errno.EIO);

        assertRefused(Problem.FOREIGN, () -> tracker.start(List.of(ALL), PAGE))
                .isEqualTo(
                        "KVM dirty log: reading KVM's dirty pages failed: KVM answers only the process that made the "
                                + "virtual machine; collect there: EIO (5)");

        calls.failing.clear();
        assertThat(guest.readLog(LOW)).isEqualTo(Errno.ENOENT.negated());
        assertThat(guest.readLog(HIGH)).isEqualTo(Errno.ENOENT.negated());
        tracker.start(List.of(ALL), PAGE);
        tracker.stop();
        tracker.stop();
    }

    @Test
    void shouldSayThatTheMachineHasRingsInstead() throws Exception {
        assumeTrue(
                guest.vm.checkExtension(Kvm.KVM_CAP_DIRTY_LOG_RING_ACQ_REL) > 0,
                "/dev/kvm: KVM_CAP_DIRTY_LOG_RING_ACQ_REL is missing");
        KvmRingTracker.enable(guest.vm, RING_BYTES);

        assertRefused(Problem.UNSUPPORTED, () -> tracker.start(List.of(ALL), PAGE))
                .isEqualTo("KVM dirty log: reading KVM's dirty pages failed, for this virtual machine has dirty rings "
                        + "instead of a log; use those: ENXIO (6)");
    }

    @Test
    void shouldSayThatTheFdIsClosedOrNoMachine() {
        KvmLogTracker closed = new KvmLogTracker(new VmFd(LibC.system(), 1 << 20), guest.slots());
        assertRefused(Problem.FOREIGN, () -> closed.start(List.of(ALL), PAGE))
                .isEqualTo("KVM dirty log: setting slot 3 to be logged failed, for the fd is closed; open it again: "
                        + "EBADF (9)");
        int fd = calls.eventfd(0, LibC.EFD_CLOEXEC);
        KvmLogTracker none = new KvmLogTracker(new VmFd(calls, fd), guest.slots());
        assertRefused(Problem.UNSUPPORTED, () -> none.start(List.of(ALL), PAGE)).contains("ENOTTY (25)");
        calls.close(fd);
    }

    /** The machine of another process, of which this one has an fd: KVM answers nothing. */
    @Test
    void shouldSayThatTheMachineIsOfAnotherProcess(@TempDir Path folder) throws Exception {
        try (ForeignVm foreign = new ForeignVm(folder)) {
            String because =
                    " failed: KVM answers only the process that made the virtual machine; collect there: EIO (5)";
            KvmLogTracker log = new KvmLogTracker(foreign.vm(), guest.slots());
            assertRefused(Problem.FOREIGN, () -> log.start(List.of(ALL), PAGE))
                    .isEqualTo("KVM dirty log: setting slot 3 to be logged" + because);
            assertRefused(Problem.FOREIGN, () -> KvmRingTracker.enable(foreign.vm(), RING_BYTES))
                    .isEqualTo("KVM dirty ring: enabling it" + because);
            try (KvmRingTracker ring = new KvmRingTracker(foreign.vm(), List.of(), RING_BYTES, guest.slots())) {
                assertRefused(Problem.FOREIGN, () -> ring.start(List.of(ALL), PAGE))
                        .isEqualTo("KVM dirty ring: emptying the rings" + because);
            }
        }
    }

    @Test
    void shouldSayThatStoppingFailed() throws Exception {
        tracker.start(List.of(ALL), PAGE);
        calls.failing.put(Kvm.KVM_SET_USER_MEMORY_REGION, Errno.EIO);

        assertRefused(Problem.FAILED, tracker::stop).isEqualTo("KVM dirty log: stopping failed: EIO (5)");

        calls.failing.clear();
        tracker.stop();
        tracker.start(List.of(ALL), PAGE);
    }
}
