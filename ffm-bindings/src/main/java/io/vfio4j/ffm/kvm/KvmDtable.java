// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_dtable} of {@code linux/kvm.h}: a descriptor table register of an x86 vCPU. */
public final class KvmDtable {
    private static final Struct.Builder C = Struct.named("kvm_dtable");

    /** {@code base}: the base. */
    public static final Struct.U64 BASE = C.u64("base");

    /** {@code limit}: the limit. */
    public static final Struct.U16 LIMIT = C.u16("limit");

    /** {@code padding}: 0. */
    public static final Struct.Bytes PADDING = C.array("padding", 6, 2);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmDtable() {}
}
