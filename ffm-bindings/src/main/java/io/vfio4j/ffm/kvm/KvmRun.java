// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_run} of {@code linux/kvm.h}: the memory that a vCPU shares with its owner: why it left. */
public final class KvmRun {
    private static final Struct.Builder C = Struct.named("kvm_run");

    /** {@code request_interrupt_window}: set to leave as soon as the guest can take an interrupt. */
    public static final Struct.U8 REQUEST_INTERRUPT_WINDOW = C.u8("request_interrupt_window");

    /** {@code immediate_exit}: set, by any thread, to leave at once with {@code EINTR}. */
    public static final Struct.U8 IMMEDIATE_EXIT = C.u8("immediate_exit");

    /** {@code padding1}: 0. */
    public static final Struct.Bytes PADDING1 = C.array("padding1", 6, 1);

    /** {@code exit_reason}: {@code KVM_EXIT_*}. */
    public static final Struct.U32 EXIT_REASON = C.u32("exit_reason");

    /** {@code ready_for_interrupt_injection}: whether the guest can take an interrupt. */
    public static final Struct.U8 READY_FOR_INTERRUPT_INJECTION = C.u8("ready_for_interrupt_injection");

    /** {@code if_flag}: the guest's interrupt flag. */
    public static final Struct.U8 IF_FLAG = C.u8("if_flag");

    /** {@code flags}: how the vCPU was running. */
    public static final Struct.U16 FLAGS = C.u16("flags");

    /** {@code cr8}: CR8. */
    public static final Struct.U64 CR8 = C.u64("cr8");

    /** {@code apic_base}: the APIC's base. */
    public static final Struct.U64 APIC_BASE = C.u64("apic_base");

    /** {@code padding}: the union of what the exit reasons have to say. */
    public static final Struct.Bytes PADDING = C.array("padding", 256, 8);

    /** {@code fail_entry}: the union's member for {@code KVM_EXIT_FAIL_ENTRY}. */
    public static final Struct.Bytes FAIL_ENTRY = C.over(PADDING).nested("fail_entry", KvmRunFailEntry.STRUCT);

    /** {@code io}: the union's member for {@code KVM_EXIT_IO}. */
    public static final Struct.Bytes IO = C.over(PADDING).nested("io", KvmRunIo.STRUCT);

    /** {@code mmio}: the union's member for {@code KVM_EXIT_MMIO}. */
    public static final Struct.Bytes MMIO = C.over(PADDING).nested("mmio", KvmRunMmio.STRUCT);

    /** {@code internal}: the union's member for {@code KVM_EXIT_INTERNAL_ERROR}. */
    public static final Struct.Bytes INTERNAL = C.over(PADDING).nested("internal", KvmRunInternal.STRUCT);

    /** {@code kvm_valid_regs}: which registers to share. */
    public static final Struct.U64 KVM_VALID_REGS = C.u64("kvm_valid_regs");

    /** {@code kvm_dirty_regs}: which shared registers were changed. */
    public static final Struct.U64 KVM_DIRTY_REGS = C.u64("kvm_dirty_regs");

    /** {@code s}: the shared registers. */
    public static final Struct.Bytes S = C.array("s", 2048, 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmRun() {}
}
