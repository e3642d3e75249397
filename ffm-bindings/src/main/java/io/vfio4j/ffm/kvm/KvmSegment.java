// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_segment} of {@code linux/kvm.h}: a segment register of an x86 vCPU. */
public final class KvmSegment {
    private static final Struct.Builder C = Struct.named("kvm_segment");

    /** {@code base}: the base. */
    public static final Struct.U64 BASE = C.u64("base");

    /** {@code limit}: the limit. */
    public static final Struct.U32 LIMIT = C.u32("limit");

    /** {@code selector}: the selector. */
    public static final Struct.U16 SELECTOR = C.u16("selector");

    /** {@code type}: the type. */
    public static final Struct.U8 TYPE = C.u8("type");

    /** {@code present}: whether it is present. */
    public static final Struct.U8 PRESENT = C.u8("present");

    /** {@code dpl}: the privilege level. */
    public static final Struct.U8 DPL = C.u8("dpl");

    /** {@code db}: whether it is a 32-bit segment. */
    public static final Struct.U8 DB = C.u8("db");

    /** {@code s}: whether it is a code or data segment. */
    public static final Struct.U8 S = C.u8("s");

    /** {@code l}: whether it is a 64-bit code segment. */
    public static final Struct.U8 L = C.u8("l");

    /** {@code g}: whether the limit is in pages. */
    public static final Struct.U8 G = C.u8("g");

    /** {@code avl}: the bit that is the system's own. */
    public static final Struct.U8 AVL = C.u8("avl");

    /** {@code unusable}: whether it is unusable. */
    public static final Struct.U8 UNUSABLE = C.u8("unusable");

    /** {@code padding}: 0. */
    public static final Struct.U8 PADDING = C.u8("padding");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmSegment() {}
}
