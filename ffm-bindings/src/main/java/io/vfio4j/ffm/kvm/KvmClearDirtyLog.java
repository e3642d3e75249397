// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct kvm_clear_dirty_log} of {@code linux/kvm.h}: clears bits of a slot's dirty bitmap, and
 * write-protects their pages.
 */
public final class KvmClearDirtyLog {
    private static final Struct.Builder C = Struct.named("kvm_clear_dirty_log");

    /** {@code slot}: the slot. */
    public static final Struct.U32 SLOT = C.u32("slot");

    /** {@code num_pages}: how many pages, a multiple of 64 unless the last is the slot's last. */
    public static final Struct.U32 NUM_PAGES = C.u32("num_pages");

    /** {@code first_page}: the first page of the slot, a multiple of 64. */
    public static final Struct.U64 FIRST_PAGE = C.u64("first_page");

    /** {@code dirty_bitmap}: the bitmap's address: which pages, bit 0 for the first. */
    public static final Struct.U64 DIRTY_BITMAP = C.u64("dirty_bitmap");

    /** {@code padding2}: the union's other member. */
    public static final Struct.U64 PADDING2 = C.over(DIRTY_BITMAP).u64("padding2");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmClearDirtyLog() {}
}
