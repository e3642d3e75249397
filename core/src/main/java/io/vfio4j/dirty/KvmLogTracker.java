// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmClearDirtyLog;
import io.vfio4j.ffm.kvm.KvmDirtyLog;
import io.vfio4j.ffm.kvm.KvmEnableCap;
import io.vfio4j.ffm.kvm.VmFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;

/**
 * Watches what a guest's CPUs write, by KVM's bitmap per memory slot: {@code KVM_GET_DIRTY_LOG} and, where the kernel
 * has {@code KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2}, {@code KVM_CLEAR_DIRTY_LOG}, which protects anew what was reported
 * only.
 *
 * <p>Addresses are guest physical. KVM sees neither what this process writes nor what devices write by DMA. The ioctls
 * work in the process that made the virtual machine only.
 */
public final class KvmLogTracker extends KvmTracker {
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment get = KvmDirtyLog.STRUCT.allocate(arena);
    private final MemorySegment clear = KvmClearDirtyLog.STRUCT.allocate(arena);
    private boolean manual;

    /**
     * Makes a tracker that does not watch yet.
     *
     * @param vm the virtual machine, which stays the caller's
     * @param slots its memory slots, as they are set
     */
    public KvmLogTracker(VmFd vm, List<GuestSlot> slots) {
        super(
                new Capability(
                        "KVM dirty log",
                        Set.of(Writer.GUEST_CPU),
                        false,
                        "two ioctls and a bitmap per slot; a fault of the guest per page and collection"),
                vm,
                slots);
    }

    /**
     * Has the kernel clear only what it is told to. Whether it does must not be guessed: the bits of a log that clears
     * itself are gone after the first look.
     */
    @Override
    void prepare() {
        manual = vm.checkExtension(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) > 0
                && enable(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, Kvm.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) >= 0;
    }

    private int enable(int capability, long argument) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment cap = KvmEnableCap.STRUCT.allocate(call);
            KvmEnableCap.CAP.set(cap, capability);
            KvmEnableCap.ARGS.of(cap).set(ValueLayout.JAVA_LONG, 0, argument);
            return vm.enableCap(cap);
        }
    }

    @Override
    int harvest(Watched each) {
        try (Arena call = Arena.ofConfined()) {
            DirtyBitmap log = new DirtyBitmap(call, each.slot.guest(), SMALLEST_PAGE);
            KvmDirtyLog.SLOT.set(get, each.slot.slot());
            KvmDirtyLog.DIRTY_BITMAP.set(get, log.memory().address());
            int result = vm.getDirtyLog(get);
            if (result < 0) {
                return result;
            }
            each.pending.or(log);
            if (!manual || log.isEmpty()) {
                return 0;
            }
            KvmClearDirtyLog.SLOT.set(clear, each.slot.slot());
            KvmClearDirtyLog.FIRST_PAGE.set(clear, 0);
            KvmClearDirtyLog.NUM_PAGES.set(clear, (int) log.pages());
            KvmClearDirtyLog.DIRTY_BITMAP.set(clear, log.memory().address());
            return vm.clearDirtyLog(clear);
        }
    }
}
