// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct kvm_s390_cmma_log} of {@code linux/kvm.h}, of s390's {@code asm/kvm.h} since Linux 6.8: reads
 * and sets the storage attributes of guest pages, a byte for each.
 */
public final class KvmS390CmmaLog {
    private static final Struct.Builder C = Struct.named("kvm_s390_cmma_log");

    /** {@code start_gfn}: where to look from; on return, the page of the first value. */
    public static final Struct.U64 START_GFN = C.u64("start_gfn");

    /** {@code count}: how many values there is room for; on return, how many there are. */
    public static final Struct.U32 COUNT = C.u32("count");

    /** {@code flags}: {@code KVM_S390_CMMA_PEEK}, or 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code remaining}: on return of a read, how many dirty values are left. */
    public static final Struct.U64 REMAINING = C.u64("remaining");

    /** {@code mask}: which bits of each value to set. */
    public static final Struct.U64 MASK = C.over(REMAINING).u64("mask");

    /** {@code values}: the values' address. */
    public static final Struct.U64 VALUES = C.u64("values");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmS390CmmaLog() {}
}
