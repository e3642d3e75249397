// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.kvm.VmFd;
import java.lang.foreign.Arena;
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

    /** What EIO means. */
    static final String FOREIGN_VM =
            " failed: KVM answers only the process that made the virtual machine; collect there";

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

    /** Takes what KVM has to say about a watched slot into its pending pages: 0 or -errno. */
    abstract int harvest(Watched slot);

    final List<Watched> watched() {
        return watched;
    }

    @Override
    final synchronized long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException {
        for (AddressRange range : sorted) {
            if (!Ranges.cover(slots.stream().map(GuestSlot::guest).toList(), range)) {
                throw failure(
                        Problem.BAD_RANGE,
                        "the range " + range + " is not all in memory slots; name the slots that it is in",
                        0);
            }
        }
        prepare();
        List<Watched> wanted = slots.stream()
                .filter(slot -> sorted.stream().anyMatch(slot.guest()::overlaps))
                .map(Watched::new)
                .toList();
        boolean begun = false;
        try {
            for (int i = 0; i < wanted.size(); i++) {
                int result = wanted.get(i).slot.setLogging(vm, true);
                if (result < 0) {
                    throw setFailure(wanted.get(i).slot, result);
                }
                watched = wanted.subList(0, i + 1);
            }
            // Whether it can be read shows only now.
            for (Watched each : wanted) {
                int result = harvest(each);
                if (result < 0) {
                    throw refusedByVm("reading KVM's dirty pages", result);
                }
            }
            begun = true;
        } finally {
            if (!begun) {
                end();
            }
        }
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
                        result < 0 ? everything(part, "reading KVM's dirty pages", result) : Collected.REPORTED);
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
        if (Errno.EIO.is(result)) {
            return failure(Problem.FOREIGN, what + FOREIGN_VM, result);
        }
        if (Errno.ENXIO.is(result)) {
            return failure(
                    Problem.UNSUPPORTED,
                    what + " failed, for this virtual machine has dirty rings instead of a log; use those",
                    result);
        }
        return refused(what, result);
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
