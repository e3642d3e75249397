// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct kvm_dirty_gfn} of {@code linux/kvm.h}: an entry of a dirty ring: a page that its vCPU has
 * written.
 */
public final class KvmDirtyGfn {
    private static final Struct.Builder C = Struct.named("kvm_dirty_gfn");

    /**
     * {@code flags}: {@code KVM_DIRTY_GFN_F_*}; read it with {@link Struct.U32#getAcquire}, set it with
     * {@link Struct.U32#setRelease}.
     */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code slot}: the slot, with the address space in the upper 16 bits. */
    public static final Struct.U32 SLOT = C.u32("slot");

    /** {@code offset}: the page of the slot. */
    public static final Struct.U64 OFFSET = C.u64("offset");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmDirtyGfn() {}
}
