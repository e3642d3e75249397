// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct kvm_dirty_log} of {@code linux/kvm.h}: reads the dirty bitmap of a whole slot, bit 0 for its
 * first page.
 */
public final class KvmDirtyLog {
    private static final Struct.Builder C = Struct.named("kvm_dirty_log");

    /** {@code slot}: the slot. */
    public static final Struct.U32 SLOT = C.u32("slot");

    /** {@code padding1}: 0. */
    public static final Struct.U32 PADDING1 = C.u32("padding1");

    /** {@code dirty_bitmap}: the bitmap's address; a bit for each page of the slot, rounded up to 64. */
    public static final Struct.U64 DIRTY_BITMAP = C.u64("dirty_bitmap");

    /** {@code padding2}: the union's other member. */
    public static final Struct.U64 PADDING2 = C.over(DIRTY_BITMAP).u64("padding2");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmDirtyLog() {}
}
