// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_enable_cap} of {@code linux/kvm.h}: turns a capability on. */
public final class KvmEnableCap {
    private static final Struct.Builder C = Struct.named("kvm_enable_cap");

    /** {@code cap}: {@code KVM_CAP_*}. */
    public static final Struct.U32 CAP = C.u32("cap");

    /** {@code flags}: 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code args}: four numbers that depend on the capability. */
    public static final Struct.Bytes ARGS = C.array("args", 32, 8);

    /** {@code pad}: 0. */
    public static final Struct.Bytes PAD = C.array("pad", 64, 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmEnableCap() {}
}
