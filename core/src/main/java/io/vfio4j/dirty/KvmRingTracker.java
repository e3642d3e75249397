// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmDirtyGfn;
import io.vfio4j.ffm.kvm.KvmEnableCap;
import io.vfio4j.ffm.kvm.VcpuFd;
import io.vfio4j.ffm.kvm.VmFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Watches what a guest's CPUs write, by a ring of dirty pages per virtual CPU: {@code KVM_CAP_DIRTY_LOG_RING_ACQ_REL}.
 *
 * <p>{@link #enable} comes before the first virtual CPU. A virtual CPU whose ring is full leaves {@code KVM_RUN} with
 * {@code KVM_EXIT_DIRTY_RING_FULL}; its thread then calls {@link #harvest()} and runs it again. What the processor
 * still holds back of a running virtual CPU is reported once that has left {@code KVM_RUN}: kick it before the last
 * collection. Addresses are guest physical. KVM sees neither what this process writes nor what devices write by DMA.
 */
public final class KvmRingTracker extends KvmTracker {
    /** How often entries are reset once more when none was, before it is believed that somebody else has done so. */
    private static final int IDLE_RESETS = 16;

    private static final class Ring {
        /** An earlier tracker may have left off anywhere. */
        static final long UNKNOWN = Long.MIN_VALUE;

        final MemorySegment entries;
        final long count;
        long next = UNKNOWN;

        Ring(MemorySegment entries) {
            this.entries = entries;
            this.count = entries.byteSize() / KvmDirtyGfn.STRUCT.size();
        }

        MemorySegment entry(long index) {
            return entries.asSlice(Math.floorMod(index, count) * KvmDirtyGfn.STRUCT.size(), KvmDirtyGfn.STRUCT.size());
        }

        /** The kernel publishes an entry by its flags, and takes it back by them. */
        boolean isDirty(long index) {
            int flags = KvmDirtyGfn.FLAGS.getAcquire(entry(index));
            return (flags & Kvm.KVM_DIRTY_GFN_F_MASK) == Kvm.KVM_DIRTY_GFN_F_DIRTY;
        }

        /** Finds the first of the dirty entries, which follow each other. */
        void locate() {
            for (long i = 0; i < count; i++) {
                if (isDirty(i)) {
                    // Those before it may have become dirty since they were looked at.
                    next = i;
                    while (next > i - count && isDirty(next - 1)) {
                        next--;
                    }
                    return;
                }
            }
        }
    }

    private final List<VcpuFd> vcpus;
    private final int ringBytes;
    private final Arena arena = Arena.ofShared();
    private final List<Ring> rings = new ArrayList<>();

    /** Harvested, but not protected again yet. */
    private int notReset;

    private boolean freed;

    /**
     * Makes a tracker that does not watch yet.
     *
     * @param vm the virtual machine, which stays the caller's
     * @param vcpus all its virtual CPUs, which stay the caller's, too
     * @param ringBytes how long each one's ring is: what {@link #enable} was called with
     * @param slots its memory slots, as they are set
     */
    public KvmRingTracker(VmFd vm, List<VcpuFd> vcpus, int ringBytes, List<GuestSlot> slots) {
        super(
                new Capability(
                        "KVM dirty ring",
                        Set.of(Writer.GUEST_CPU),
                        false,
                        "16 bytes per page written and one ioctl; does not depend on the memory's size"),
                vm,
                slots);
        this.vcpus = List.copyOf(vcpus);
        this.ringBytes = ringBytes;
    }

    /**
     * Gives each virtual CPU that will be made a ring, instead of the slots' bitmaps.
     *
     * @param vm the virtual machine, without virtual CPUs
     * @param ringBytes the length of a ring: a power of two, 64 KiB or more
     * @throws DirtyTrackingException {@code UNSUPPORTED} where the kernel has no rings, {@code BAD_PAGE_SIZE} where it
     *     does not take the length, {@code BUSY} where a virtual CPU is there already, or rings are, {@code FOREIGN} in
     *     another process than the one that made the virtual machine
     */
    public static void enable(VmFd vm, int ringBytes) throws DirtyTrackingException {
        String source = "KVM dirty ring";
        int most = vm.checkExtension(Kvm.KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
        if (Errno.EIO.is(most) || Errno.EBADF.is(most)) {
            throw new DirtyTrackingException(
                    Problem.FOREIGN,
                    source,
                    "enabling it" + (Errno.EIO.is(most) ? FOREIGN_VM : " failed, for the fd is closed; open it again"),
                    most);
        }
        if (most <= 0) {
            throw new DirtyTrackingException(
                    Problem.UNSUPPORTED, source, "this kernel has none; use the dirty log", most);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment cap = KvmEnableCap.STRUCT.allocate(arena);
            KvmEnableCap.CAP.set(cap, Kvm.KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
            KvmEnableCap.ARGS.of(cap).set(ValueLayout.JAVA_LONG, 0, ringBytes);
            int result = vm.enableCap(cap);
            if (Errno.EINVAL.is(result) || Errno.E2BIG.is(result)) {
                boolean badLength = Integer.bitCount(ringBytes) != 1 || ringBytes < SMALLEST_PAGE || ringBytes > most;
                throw new DirtyTrackingException(
                        badLength ? Problem.BAD_PAGE_SIZE : Problem.BUSY,
                        source,
                        badLength
                                ? "a ring has a power of two of bytes from " + SMALLEST_PAGE + " to " + most + ", not "
                                        + ringBytes
                                : "enabling it failed, for there are virtual CPUs or rings already, or " + ringBytes
                                        + " bytes are too few for what this processor holds back; enable it once, "
                                        + "before the virtual CPUs, with 64 KiB or more",
                        result);
            }
            if (result < 0) {
                throw new DirtyTrackingException(Problem.FAILED, source, "enabling it failed", result);
            }
        }
    }

    @Override
    void prepare() throws DirtyTrackingException {
        if (freed) {
            throw failure(Problem.NOT_STARTED, "it is closed", 0);
        }
        // Without rings, looking into them is a SIGBUS.
        int result = vm.resetDirtyRings();
        if (Errno.EINVAL.is(result)) {
            throw failure(
                    Problem.UNSUPPORTED,
                    "the virtual machine has no rings; enable them before its first virtual CPU",
                    result);
        }
        if (result >= 0) {
            while (rings.size() < vcpus.size()) {
                rings.add(map(vcpus.get(rings.size())));
            }
            // What an earlier watch has left in the rings is nobody's any more.
            result = harvest();
        }
        if (result < 0) {
            throw refusedByVm("emptying the rings", result);
        }
    }

    private Ring map(VcpuFd vcpu) throws DirtyTrackingException {
        LibC libc = vcpu.libc();
        MemorySegment mapped;
        try {
            mapped = MappedMemory.map(
                    libc,
                    ringBytes + SMALLEST_PAGE,
                    LibC.MAP_SHARED,
                    vcpu.fd(),
                    Kvm.KVM_DIRTY_LOG_PAGE_OFFSET * SMALLEST_PAGE,
                    arena);
        } catch (OutOfMemoryError e) {
            throw failure(
                    Problem.FOREIGN,
                    "the ring of a virtual CPU cannot be mapped (" + e.getMessage() + "); is its fd open?",
                    0);
        }
        // The kernel does not tell how long a ring is, and a wrong length would lose pages.
        if (libc.madvise(mapped.address(), ringBytes, LibC.MADV_POPULATE_READ) < 0
                || libc.madvise(mapped.address() + ringBytes, SMALLEST_PAGE, LibC.MADV_POPULATE_READ) >= 0) {
            throw failure(
                    Problem.BAD_PAGE_SIZE,
                    "a virtual CPU's ring does not have " + ringBytes + " bytes; name the length that was enabled",
                    0);
        }
        return new Ring(mapped.asSlice(0, ringBytes));
    }

    /**
     * Empties the rings into this tracker's memory, for the next collections. Any thread, also while another collects.
     *
     * @return how many entries there were, or {@code -errno}
     */
    public synchronized int harvest() {
        int entries = 0;
        for (Ring ring : rings) {
            entries += empty(ring);
        }
        notReset += entries;
        int result = reset();
        return result < 0 ? result : entries;
    }

    /** Has all that was harvested protected again; a signal may cut it short, and then the rest would go unseen. */
    private int reset() {
        int idle = 0;
        while (notReset > 0 && idle < IDLE_RESETS) {
            int result = vm.resetDirtyRings();
            if (result < 0 && !Errno.EINTR.is(result)) {
                return result;
            }
            notReset -= Math.max(0, result);
            idle = result > 0 ? 0 : idle + 1;
        }
        notReset = 0;
        return 0;
    }

    /** All rings hold pages of all slots, so one look is as good for each. */
    @Override
    synchronized int harvest(Watched slot) {
        return Math.min(0, harvest());
    }

    private int empty(Ring ring) {
        if (ring.next == Ring.UNKNOWN) {
            ring.locate();
        }
        if (ring.next == Ring.UNKNOWN) {
            return 0;
        }
        int count = 0;
        while (ring.isDirty(ring.next)) {
            MemorySegment entry = ring.entry(ring.next);
            mark(KvmDirtyGfn.SLOT.get(entry), KvmDirtyGfn.OFFSET.get(entry));
            KvmDirtyGfn.FLAGS.setRelease(entry, Kvm.KVM_DIRTY_GFN_F_RESET);
            ring.next++;
            count++;
        }
        return count;
    }

    private void mark(int slot, long page) {
        for (Watched each : watched()) {
            if (each.slot.slot() == slot) {
                each.pending.mark(new AddressRange(each.slot.guest().start() + page * SMALLEST_PAGE, SMALLEST_PAGE));
            }
        }
    }

    @Override
    synchronized void free() {
        if (!freed) {
            freed = true;
            rings.clear();
            notReset = 0;
            arena.close();
        }
    }
}
