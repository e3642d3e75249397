// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.IoctlRequest;

/** The constants of {@code linux/kvm.h} that dirty logging needs, under their C names. */
public final class Kvm {
    private static final int KVMIO = 0xAE;

    /** {@code /dev/kvm}: asks for the version of the API. */
    public static final long KVM_GET_API_VERSION = IoctlRequest.none(KVMIO, 0x00);

    /** {@code /dev/kvm}: makes a VM. */
    public static final long KVM_CREATE_VM = IoctlRequest.none(KVMIO, 0x01);

    /** {@code /dev/kvm} and VM: asks for a capability. */
    public static final long KVM_CHECK_EXTENSION = IoctlRequest.none(KVMIO, 0x03);

    /** {@code /dev/kvm}: asks how long a mapped {@code kvm_run} is. */
    public static final long KVM_GET_VCPU_MMAP_SIZE = IoctlRequest.none(KVMIO, 0x04);

    /** VM: makes a vCPU. */
    public static final long KVM_CREATE_VCPU = IoctlRequest.none(KVMIO, 0x41);

    /** VM: reads the dirty bitmap of a slot. */
    public static final long KVM_GET_DIRTY_LOG = IoctlRequest.write(KVMIO, 0x42, KvmDirtyLog.STRUCT.size());

    /** VM: makes, changes or removes a slot of memory. */
    public static final long KVM_SET_USER_MEMORY_REGION =
            IoctlRequest.write(KVMIO, 0x46, KvmUserspaceMemoryRegion.STRUCT.size());

    /** VM, x86: gives away three pages of guest addresses, which old Intel processors need in real mode. */
    public static final long KVM_SET_TSS_ADDR = IoctlRequest.none(KVMIO, 0x47);

    /** VM: as before, with private memory. Linux 6.8. */
    public static final long KVM_SET_USER_MEMORY_REGION2 =
            IoctlRequest.write(KVMIO, 0x49, KvmUserspaceMemoryRegion2.STRUCT.size());

    /** vCPU: runs it until it leaves. */
    public static final long KVM_RUN = IoctlRequest.none(KVMIO, 0x80);

    /** vCPU, x86: gets the general registers. */
    public static final long KVM_GET_REGS = IoctlRequest.read(KVMIO, 0x81, KvmRegs.STRUCT.size());

    /** vCPU, x86: sets the general registers. */
    public static final long KVM_SET_REGS = IoctlRequest.write(KVMIO, 0x82, KvmRegs.STRUCT.size());

    /** vCPU, x86: gets the special registers. */
    public static final long KVM_GET_SREGS = IoctlRequest.read(KVMIO, 0x83, KvmSregs.STRUCT.size());

    /** vCPU, x86: sets the special registers. */
    public static final long KVM_SET_SREGS = IoctlRequest.write(KVMIO, 0x84, KvmSregs.STRUCT.size());

    /** VM: turns a capability on. */
    public static final long KVM_ENABLE_CAP = IoctlRequest.write(KVMIO, 0xA3, KvmEnableCap.STRUCT.size());

    /** VM, s390: reads the storage attributes of pages; calls them clean unless told not to. */
    public static final long KVM_S390_GET_CMMA_BITS = IoctlRequest.readWrite(KVMIO, 0xB8, KvmS390CmmaLog.STRUCT.size());

    /** VM, s390: sets the storage attributes of pages. */
    public static final long KVM_S390_SET_CMMA_BITS = IoctlRequest.write(KVMIO, 0xB9, KvmS390CmmaLog.STRUCT.size());

    /** VM: clears bits of the dirty bitmap of a slot. */
    public static final long KVM_CLEAR_DIRTY_LOG = IoctlRequest.readWrite(KVMIO, 0xC0, KvmClearDirtyLog.STRUCT.size());

    /** VM: takes back the entries of dirty rings that are marked so, and protects their pages. */
    public static final long KVM_RESET_DIRTY_RINGS = IoctlRequest.none(KVMIO, 0xC7);

    /** VM, where it has attributes: sets one. */
    public static final long KVM_SET_DEVICE_ATTR = IoctlRequest.write(KVMIO, 0xE1, KvmDeviceAttr.STRUCT.size());

    /** VM, where it has attributes: gets one. */
    public static final long KVM_GET_DEVICE_ATTR = IoctlRequest.write(KVMIO, 0xE2, KvmDeviceAttr.STRUCT.size());

    /** The only version of the API. */
    public static final int KVM_API_VERSION = 12;

    /** The pages of the slot that the guest writes are logged. */
    public static final int KVM_MEM_LOG_DIRTY_PAGES = 1 << 0;

    /** The guest cannot write the slot. */
    public static final int KVM_MEM_READONLY = 1 << 1;

    /** The slot has private memory. Linux 6.8. */
    public static final int KVM_MEM_GUEST_MEMFD = 1 << 2;

    /** Capability: slots of memory. */
    public static final int KVM_CAP_USER_MEMORY = 3;

    /** Capability: how many slots there may be. */
    public static final int KVM_CAP_NR_MEMSLOTS = 10;

    /** Capability: the guest follows this process when it maps other memory. */
    public static final int KVM_CAP_SYNC_MMU = 16;

    /** Capability: slots that the guest cannot write. */
    public static final int KVM_CAP_READONLY_MEM = 81;

    /** Capability: turning on capabilities of a VM. */
    public static final int KVM_CAP_ENABLE_CAP_VM = 98;

    /** Capability: {@code kvm_run.immediate_exit}. */
    public static final int KVM_CAP_IMMEDIATE_EXIT = 136;

    /** Capability, s390: reading and setting storage attributes. */
    public static final int KVM_CAP_S390_CMMA_MIGRATION = 145;

    /** Capability: reading the dirty log does not clear it; {@code KVM_DIRTY_LOG_*} are its argument. */
    public static final int KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 = 168;

    /** Capability: dirty rings; their length in bytes is its argument, and the most of it its value. */
    public static final int KVM_CAP_DIRTY_LOG_RING = 192;

    /** Capability: dirty rings whose flags are read with acquire and set with release semantics. */
    public static final int KVM_CAP_DIRTY_LOG_RING_ACQ_REL = 223;

    /** Capability: dirty rings, and a bitmap of what no vCPU has written. Not on x86. */
    public static final int KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP = 225;

    /** Capability: {@code KVM_SET_USER_MEMORY_REGION2}. */
    public static final int KVM_CAP_USER_MEMORY2 = 231;

    /** Reading the dirty log does not clear it. */
    public static final int KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE = 1 << 0;

    /** All pages are dirty at first. */
    public static final int KVM_DIRTY_LOG_INITIALLY_SET = 1 << 1;

    /** Where to map a vCPU's dirty ring, in pages. */
    public static final int KVM_DIRTY_LOG_PAGE_OFFSET = 64;

    /** The entry of the ring is filled. */
    public static final int KVM_DIRTY_GFN_F_DIRTY = 1 << 0;

    /** The entry of the ring was harvested. */
    public static final int KVM_DIRTY_GFN_F_RESET = 1 << 1;

    /** The bits of the flags that have a meaning. */
    public static final int KVM_DIRTY_GFN_F_MASK = KVM_DIRTY_GFN_F_DIRTY | KVM_DIRTY_GFN_F_RESET;

    /** The vCPU left for a reason of the processor that KVM does not know. */
    public static final int KVM_EXIT_UNKNOWN = 0;

    /** The vCPU left for an exception. */
    public static final int KVM_EXIT_EXCEPTION = 1;

    /** The vCPU accesses a port. */
    public static final int KVM_EXIT_IO = 2;

    /** The vCPU is debugged. */
    public static final int KVM_EXIT_DEBUG = 4;

    /** The vCPU waits for an interrupt. */
    public static final int KVM_EXIT_HLT = 5;

    /** The vCPU accesses an address that has no memory. */
    public static final int KVM_EXIT_MMIO = 6;

    /** The vCPU cannot go on: a triple fault. */
    public static final int KVM_EXIT_SHUTDOWN = 8;

    /** The processor would not run the vCPU. */
    public static final int KVM_EXIT_FAIL_ENTRY = 9;

    /** A signal interrupted the vCPU. */
    public static final int KVM_EXIT_INTR = 10;

    /** KVM could not do what the vCPU needs. */
    public static final int KVM_EXIT_INTERNAL_ERROR = 17;

    /** The guest wants to be reset or turned off. */
    public static final int KVM_EXIT_SYSTEM_EVENT = 24;

    /** The vCPU's dirty ring is full, or nearly so. */
    public static final int KVM_EXIT_DIRTY_RING_FULL = 31;

    /** The vCPU accesses memory that KVM cannot give it. Linux 6.8. */
    public static final int KVM_EXIT_MEMORY_FAULT = 39;

    /** The port is read. */
    public static final int KVM_EXIT_IO_IN = 0;

    /** The port is written. */
    public static final int KVM_EXIT_IO_OUT = 1;

    /** KVM could not emulate an instruction. */
    public static final int KVM_INTERNAL_ERROR_EMULATION = 1;

    /** Reading the storage attributes does not call them clean, and needs no migration mode. */
    public static final int KVM_S390_CMMA_PEEK = 1 << 0;

    /** The VM's attributes about migration mode, in which s390 tracks storage attributes. */
    public static final int KVM_S390_VM_MIGRATION = 4;

    /** Set: ends migration mode. */
    public static final int KVM_S390_VM_MIGRATION_STOP = 0;

    /** Set: begins migration mode; all attributes are dirty. */
    public static final int KVM_S390_VM_MIGRATION_START = 1;

    /** Get: a u64, 1 in migration mode. */
    public static final int KVM_S390_VM_MIGRATION_STATUS = 2;

    private Kvm() {}
}
