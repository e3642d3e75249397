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
import java.lang.invoke.VarHandle;
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
    private static final VarHandle FLAGS = ValueLayout.JAVA_INT.varHandle();
    private static final long PAGE = 4096;

    private static final class Ring {
        final MemorySegment entries;
        long next;

        Ring(MemorySegment entries) {
            this.entries = entries;
        }
    }

    private final List<VcpuFd> vcpus;
    private final int ringBytes;
    private final Arena arena = Arena.ofShared();
    private final List<Ring> rings = new ArrayList<>();
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
     *     does not take the length, {@code BUSY} where a virtual CPU is there already
     */
    public static void enable(VmFd vm, int ringBytes) throws DirtyTrackingException {
        String source = "KVM dirty ring";
        int most = vm.checkExtension(Kvm.KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
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
                boolean badLength = Integer.bitCount(ringBytes) != 1 || ringBytes < PAGE || ringBytes > most;
                throw new DirtyTrackingException(
                        badLength ? Problem.BAD_PAGE_SIZE : Problem.BUSY,
                        source,
                        badLength
                                ? "a ring has a power of two of bytes from " + PAGE + " to " + most + ", not "
                                        + ringBytes
                                : "enabling it failed, for there are virtual CPUs already; enable it before them",
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
        while (rings.size() < vcpus.size()) {
            VcpuFd vcpu = vcpus.get(rings.size());
            try {
                rings.add(new Ring(MappedMemory.map(
                        vcpu.libc(),
                        ringBytes,
                        LibC.MAP_SHARED,
                        vcpu.fd(),
                        Kvm.KVM_DIRTY_LOG_PAGE_OFFSET * PAGE,
                        arena)));
            } catch (OutOfMemoryError e) {
                throw failure(
                        Problem.UNSUPPORTED,
                        "a virtual CPU has no ring of " + ringBytes + " bytes (" + e.getMessage()
                                + "); enable rings before the first virtual CPU",
                        0);
            }
        }
        // What an earlier watch has left in the rings is nobody's any more.
        int result = harvest();
        if (result < 0) {
            throw refusedByVm("emptying the rings", result);
        }
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
        int result = entries == 0 ? 0 : vm.resetDirtyRings();
        return result < 0 ? result : entries;
    }

    /** All rings hold pages of all slots, so one look is as good for each. */
    @Override
    synchronized int harvest(Watched slot) {
        return Math.min(0, harvest());
    }

    private int empty(Ring ring) {
        long size = KvmDirtyGfn.STRUCT.size();
        int count = 0;
        while (true) {
            MemorySegment entry = ring.entries.asSlice(ring.next * size % ring.entries.byteSize(), size);
            // The kernel publishes an entry by its flags, and takes it back by them.
            int flags = (int) FLAGS.getAcquire(entry, KvmDirtyGfn.FLAGS.offset());
            if ((flags & Kvm.KVM_DIRTY_GFN_F_MASK) != Kvm.KVM_DIRTY_GFN_F_DIRTY) {
                return count;
            }
            mark(KvmDirtyGfn.SLOT.get(entry), KvmDirtyGfn.OFFSET.get(entry));
            FLAGS.setRelease(entry, KvmDirtyGfn.FLAGS.offset(), Kvm.KVM_DIRTY_GFN_F_RESET);
            ring.next++;
            count++;
        }
    }

    private void mark(int slot, long page) {
        for (Watched each : watched()) {
            if (each.slot.slot() == slot) {
                each.pending.mark(new AddressRange(each.slot.guest().start() + page * PAGE, PAGE));
            }
        }
    }

    @Override
    void free() {
        if (!freed) {
            freed = true;
            rings.clear();
            arena.close();
        }
    }
}
