// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code kvm_run.fail_entry} of {@code linux/kvm.h}, a struct without a name in C: why the processor would not
 * run the vCPU.
 */
public final class KvmRunFailEntry {
    private static final Struct.Builder C = Struct.named("kvm_run_fail_entry");

    /** {@code hardware_entry_failure_reason}: the processor's reason. */
    public static final Struct.U64 HARDWARE_ENTRY_FAILURE_REASON = C.u64("hardware_entry_failure_reason");

    /** {@code cpu}: the processor. */
    public static final Struct.U32 CPU = C.u32("cpu");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmRunFailEntry() {}
}
