// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_sregs} of {@code linux/kvm.h}: the special registers of an x86 vCPU. */
public final class KvmSregs {
    private static final Struct.Builder C = Struct.named("kvm_sregs");

    /** {@code cs}: CS. */
    public static final Struct.Bytes CS = C.nested("cs", KvmSegment.STRUCT);

    /** {@code ds}: DS. */
    public static final Struct.Bytes DS = C.nested("ds", KvmSegment.STRUCT);

    /** {@code es}: ES. */
    public static final Struct.Bytes ES = C.nested("es", KvmSegment.STRUCT);

    /** {@code fs}: FS. */
    public static final Struct.Bytes FS = C.nested("fs", KvmSegment.STRUCT);

    /** {@code gs}: GS. */
    public static final Struct.Bytes GS = C.nested("gs", KvmSegment.STRUCT);

    /** {@code ss}: SS. */
    public static final Struct.Bytes SS = C.nested("ss", KvmSegment.STRUCT);

    /** {@code tr}: TR. */
    public static final Struct.Bytes TR = C.nested("tr", KvmSegment.STRUCT);

    /** {@code ldt}: LDTR. */
    public static final Struct.Bytes LDT = C.nested("ldt", KvmSegment.STRUCT);

    /** {@code gdt}: GDTR. */
    public static final Struct.Bytes GDT = C.nested("gdt", KvmDtable.STRUCT);

    /** {@code idt}: IDTR. */
    public static final Struct.Bytes IDT = C.nested("idt", KvmDtable.STRUCT);

    /** {@code cr0}: CR0. */
    public static final Struct.U64 CR0 = C.u64("cr0");

    /** {@code cr2}: CR2. */
    public static final Struct.U64 CR2 = C.u64("cr2");

    /** {@code cr3}: CR3. */
    public static final Struct.U64 CR3 = C.u64("cr3");

    /** {@code cr4}: CR4. */
    public static final Struct.U64 CR4 = C.u64("cr4");

    /** {@code cr8}: CR8. */
    public static final Struct.U64 CR8 = C.u64("cr8");

    /** {@code efer}: EFER. */
    public static final Struct.U64 EFER = C.u64("efer");

    /** {@code apic_base}: the APIC's base. */
    public static final Struct.U64 APIC_BASE = C.u64("apic_base");

    /** {@code interrupt_bitmap}: the interrupt that waits, a bit each. */
    public static final Struct.Bytes INTERRUPT_BITMAP = C.array("interrupt_bitmap", 32, 8);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmSregs() {}
}
