// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.kvm.VmFd;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * What KVM's two sources have in common: memory slots that are logged, and pages of them that KVM has reported and
 * nobody has collected yet. Those are guarded by this object, for virtual CPUs' threads may bring more at any time.
 */
abstract class KvmTracker extends RangeTracker {
    /** A slot that is watched. */
    static final class Watched {
        final GuestSlot slot;

        /** Reported by KVM, not yet collected. */
        final DirtyBitmap pending;

        Watched(GuestSlot slot) {
            this.slot = slot;
            this.pending = new DirtyBitmap(Arena.ofAuto(), slot.guest(), SMALLEST_PAGE);
        }
    }

    final VmFd vm;
    private final List<GuestSlot> slots;
    private List<Watched> watched = List.of();

    KvmTracker(Capability capability, VmFd vm, List<GuestSlot> slots) {
        super(capability);
        this.vm = vm;
        this.slots = List.copyOf(slots);
    }

    /** Called before slots are logged. */
    abstract void prepare() throws DirtyTrackingException;

    /** Takes what KVM has to say about a slot into its pending pages: 0 or -errno. */
    abstract int harvest(Watched slot);

    final List<Watched> watched() {
        return watched;
    }

    @Override
    final synchronized long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException {
        List<Watched> wanted = new ArrayList<>();
        long covered = 0;
        long asked = 0;
        for (AddressRange range : sorted) {
            asked += range.length();
        }
        for (GuestSlot slot : slots) {
            long before = covered;
            for (AddressRange range : sorted) {
                if (slot.guest().overlaps(range)) {
                    covered += slot.guest().intersect(range).length();
                }
            }
            if (covered > before) {
                wanted.add(new Watched(slot));
            }
        }
        if (covered != asked) {
            throw failure(
                    Problem.BAD_RANGE, "the ranges are not all in memory slots; name the slots that they are in", 0);
        }
        prepare();
        for (int i = 0; i < wanted.size(); i++) {
            int result = wanted.get(i).slot.setLogging(vm, true);
            if (result < 0) {
                wanted.subList(0, i).forEach(each -> each.slot.setLogging(vm, false));
                throw setFailure(wanted.get(i).slot, result);
            }
        }
        watched = wanted;
        return SMALLEST_PAGE;
    }

    @Override
    final synchronized Collected report(AddressRange range, DirtyBitmap into) {
        Collected collected = Collected.REPORTED;
        for (Watched each : watched) {
            if (each.slot.guest().overlaps(range)) {
                AddressRange part = each.slot.guest().intersect(range);
                int result = harvest(each);
                collected = collected.and(
                        result < 0 ? everything(part, into, "reading KVM's dirty pages", result) : Collected.REPORTED);
                each.pending.moveTo(part, into);
            }
        }
        return collected;
    }

    @Override
    final synchronized int end() {
        int result = 0;
        for (Watched each : watched) {
            result = Math.min(result, each.slot.setLogging(vm, false));
        }
        watched = List.of();
        return result;
    }

    /** Says why a call on the virtual machine failed. */
    final DirtyTrackingException refusedByVm(String what, long result) {
        return Errno.EIO.is(result)
                ? failure(
                        Problem.FOREIGN,
                        what + " failed: KVM answers only the process that made the virtual machine; collect there",
                        result)
                : refused(what, result);
    }

    private DirtyTrackingException setFailure(GuestSlot slot, int result) {
        return Errno.EINVAL.is(result)
                ? failure(
                        Problem.FOREIGN,
                        "slot " + slot.slot() + " is not set as it was described (" + slot.guest() + ")",
                        result)
                : refusedByVm("setting slot " + slot.slot() + " to be logged", result);
    }
}
