// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code kvm_run.mmio} of {@code linux/kvm.h}, a struct without a name in C: the access to no memory that the
 * vCPU left for.
 */
public final class KvmRunMmio {
    private static final Struct.Builder C = Struct.named("kvm_run_mmio");

    /** {@code phys_addr}: the address. */
    public static final Struct.U64 PHYS_ADDR = C.u64("phys_addr");

    /** {@code data}: what was written, or where to put what is read. */
    public static final Struct.Bytes DATA = C.array("data", 8, 1);

    /** {@code len}: its width in bytes. */
    public static final Struct.U32 LEN = C.u32("len");

    /** {@code is_write}: whether it was a write. */
    public static final Struct.U8 IS_WRITE = C.u8("is_write");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmRunMmio() {}
}
