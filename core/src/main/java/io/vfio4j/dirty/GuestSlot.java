// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmUserspaceMemoryRegion;
import io.vfio4j.ffm.kvm.VmFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A memory slot of a virtual machine, as the monitor has set it by {@code KVM_SET_USER_MEMORY_REGION}.
 *
 * @param slot its number, with the address space in the upper 16 bits
 * @param flags its {@code KVM_MEM_*} flags without {@code KVM_MEM_LOG_DIRTY_PAGES}
 * @param guest its guest physical addresses
 * @param userAddress where it lies in this process
 */
public record GuestSlot(int slot, int flags, AddressRange guest, long userAddress) {
    /** Sets the slot as it is, but for the flag that has it logged. Returns 0 or -errno. */
    int setLogging(VmFd vm, boolean on) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment region = KvmUserspaceMemoryRegion.STRUCT.allocate(arena);
            KvmUserspaceMemoryRegion.SLOT.set(region, slot);
            KvmUserspaceMemoryRegion.FLAGS.set(region, on ? flags | Kvm.KVM_MEM_LOG_DIRTY_PAGES : flags);
            KvmUserspaceMemoryRegion.GUEST_PHYS_ADDR.set(region, guest.start());
            KvmUserspaceMemoryRegion.MEMORY_SIZE.set(region, guest.length());
            KvmUserspaceMemoryRegion.USERSPACE_ADDR.set(region, userAddress);
            return vm.setUserMemoryRegion(region);
        }
    }
}
