// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_regs} of {@code linux/kvm.h}: the general registers of an x86 vCPU. */
public final class KvmRegs {
    private static final Struct.Builder C = Struct.named("kvm_regs");

    /** {@code rax}: RAX. */
    public static final Struct.U64 RAX = C.u64("rax");

    /** {@code rbx}: RBX. */
    public static final Struct.U64 RBX = C.u64("rbx");

    /** {@code rcx}: RCX. */
    public static final Struct.U64 RCX = C.u64("rcx");

    /** {@code rdx}: RDX. */
    public static final Struct.U64 RDX = C.u64("rdx");

    /** {@code rsi}: RSI. */
    public static final Struct.U64 RSI = C.u64("rsi");

    /** {@code rdi}: RDI. */
    public static final Struct.U64 RDI = C.u64("rdi");

    /** {@code rsp}: RSP. */
    public static final Struct.U64 RSP = C.u64("rsp");

    /** {@code rbp}: RBP. */
    public static final Struct.U64 RBP = C.u64("rbp");

    /** {@code r8}: R8. */
    public static final Struct.U64 R8 = C.u64("r8");

    /** {@code r9}: R9. */
    public static final Struct.U64 R9 = C.u64("r9");

    /** {@code r10}: R10. */
    public static final Struct.U64 R10 = C.u64("r10");

    /** {@code r11}: R11. */
    public static final Struct.U64 R11 = C.u64("r11");

    /** {@code r12}: R12. */
    public static final Struct.U64 R12 = C.u64("r12");

    /** {@code r13}: R13. */
    public static final Struct.U64 R13 = C.u64("r13");

    /** {@code r14}: R14. */
    public static final Struct.U64 R14 = C.u64("r14");

    /** {@code r15}: R15. */
    public static final Struct.U64 R15 = C.u64("r15");

    /** {@code rip}: RIP. */
    public static final Struct.U64 RIP = C.u64("rip");

    /** {@code rflags}: RFLAGS; bit 1 is always set. */
    public static final Struct.U64 RFLAGS = C.u64("rflags");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmRegs() {}
}
