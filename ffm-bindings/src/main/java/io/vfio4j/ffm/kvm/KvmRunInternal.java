// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code kvm_run.internal} of {@code linux/kvm.h}, a struct without a name in C: what KVM could not do. */
public final class KvmRunInternal {
    private static final Struct.Builder C = Struct.named("kvm_run_internal");

    /** {@code suberror}: {@code KVM_INTERNAL_ERROR_*}. */
    public static final Struct.U32 SUBERROR = C.u32("suberror");

    /** {@code ndata}: how many numbers follow. */
    public static final Struct.U32 NDATA = C.u32("ndata");

    /** {@code data}: the numbers. */
    public static final Struct.Bytes DATA = C.array("data", 128, 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmRunInternal() {}
}
