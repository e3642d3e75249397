// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code kvm_run.io} of {@code linux/kvm.h}, a struct without a name in C: the port access that the vCPU left
 * for.
 */
public final class KvmRunIo {
    private static final Struct.Builder C = Struct.named("kvm_run_io");

    /** {@code direction}: {@code KVM_EXIT_IO_IN} or {@code KVM_EXIT_IO_OUT}. */
    public static final Struct.U8 DIRECTION = C.u8("direction");

    /** {@code size}: its width in bytes. */
    public static final Struct.U8 SIZE = C.u8("size");

    /** {@code port}: the port. */
    public static final Struct.U16 PORT = C.u16("port");

    /** {@code count}: how many accesses. */
    public static final Struct.U32 COUNT = C.u32("count");

    /** {@code data_offset}: where the data is, from the begin of {@code kvm_run}. */
    public static final Struct.U64 DATA_OFFSET = C.u64("data_offset");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmRunIo() {}
}
