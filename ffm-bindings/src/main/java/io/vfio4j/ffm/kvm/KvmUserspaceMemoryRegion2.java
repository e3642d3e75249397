// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct kvm_userspace_memory_region2} of {@code linux/kvm.h}: makes, changes or removes a slot of guest
 * memory, possibly with private memory. Linux 6.8.
 */
public final class KvmUserspaceMemoryRegion2 {
    private static final Struct.Builder C = Struct.named("kvm_userspace_memory_region2");

    /** {@code slot}: the slot. */
    public static final Struct.U32 SLOT = C.u32("slot");

    /** {@code flags}: {@code KVM_MEM_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code guest_phys_addr}: where the guest sees it. */
    public static final Struct.U64 GUEST_PHYS_ADDR = C.u64("guest_phys_addr");

    /** {@code memory_size}: its length in bytes; 0 removes the slot. */
    public static final Struct.U64 MEMORY_SIZE = C.u64("memory_size");

    /** {@code userspace_addr}: its address in this process. */
    public static final Struct.U64 USERSPACE_ADDR = C.u64("userspace_addr");

    /** {@code guest_memfd_offset}: where in the guest_memfd it begins. */
    public static final Struct.U64 GUEST_MEMFD_OFFSET = C.u64("guest_memfd_offset");

    /** {@code guest_memfd}: the guest_memfd, with {@code KVM_MEM_GUEST_MEMFD}. */
    public static final Struct.U32 GUEST_MEMFD = C.u32("guest_memfd");

    /** {@code pad1}: 0. */
    public static final Struct.U32 PAD1 = C.u32("pad1");

    /** {@code pad2}: 0. */
    public static final Struct.Bytes PAD2 = C.array("pad2", 112, 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmUserspaceMemoryRegion2() {}
}
