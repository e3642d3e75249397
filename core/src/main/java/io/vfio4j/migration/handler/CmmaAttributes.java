// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmDeviceAttr;
import io.vfio4j.ffm.kvm.KvmS390CmmaLog;
import io.vfio4j.ffm.kvm.VmFd;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The storage attributes of an s390 guest that uses CMMA, its collaborative memory management: for each page, what the
 * guest needs it for. By {@code KVM_S390_GET_CMMA_BITS} and {@code KVM_S390_SET_CMMA_BITS}; KVM notes changes in
 * migration mode.
 */
public final class CmmaAttributes implements StorageAttributes {
    private static final long ALL_BITS = -1;

    private final VmFd vm;
    private final long pages;
    private long changed;
    private boolean migrating;

    /**
     * Names the virtual machine.
     *
     * @param libc the system calls
     * @param vm the VM's fd, which stays the caller's; a guest that uses CMMA
     * @param pages how many pages of 4 KiB its memory has, holes included
     */
    public CmmaAttributes(LibC libc, int vm, long pages) {
        this.vm = new VmFd(libc, vm);
        this.pages = pages;
    }

    /**
     * Tells whether this kernel can move the attributes.
     *
     * @return whether it has {@code KVM_CAP_S390_CMMA_MIGRATION}
     */
    public boolean isSupported() {
        return vm.checkExtension(Kvm.KVM_CAP_S390_CMMA_MIGRATION) > 0;
    }

    @Override
    public long pages() {
        return pages;
    }

    @Override
    public void start() throws IOException {
        if (!isSupported()) {
            throw new IOException("this kernel's KVM cannot move storage attributes (KVM_CAP_S390_CMMA_MIGRATION)");
        }
        migrationMode(Kvm.KVM_S390_VM_MIGRATION_START, "migration mode cannot begin");
        migrating = true;
        changed = pages;
    }

    @Override
    public void stop() throws IOException {
        if (migrating) {
            migrating = false;
            migrationMode(Kvm.KVM_S390_VM_MIGRATION_STOP, "migration mode cannot end");
        }
    }

    private void migrationMode(int attribute, String otherwise) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attr = KvmDeviceAttr.STRUCT.allocate(arena);
            KvmDeviceAttr.GROUP.set(attr, Kvm.KVM_S390_VM_MIGRATION);
            KvmDeviceAttr.ATTR.set(attr, attribute);
            require(otherwise, vm.setDeviceAttr(attr));
        }
    }

    @Override
    public long changed() {
        return changed;
    }

    @Override
    public long countChanged() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment log = KvmS390CmmaLog.STRUCT.allocate(arena);
            KvmS390CmmaLog.COUNT.set(log, 1);
            KvmS390CmmaLog.FLAGS.set(log, Kvm.KVM_S390_CMMA_PEEK);
            KvmS390CmmaLog.VALUES.set(log, arena.allocate(1).address());
            require("the changed storage attributes cannot be counted", vm.s390GetCmmaBits(log));
            changed = KvmS390CmmaLog.REMAINING.get(log);
            return changed;
        }
    }

    @Override
    public @Nullable Run next(long from, ByteBuffer into) throws IOException {
        MemorySegment values = MemorySegment.ofBuffer(into);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment log = KvmS390CmmaLog.STRUCT.allocate(arena);
            Run run = read(log, from, values);
            // KVM looks from a page on, and may or may not begin anew behind the last one.
            if (run == null && from > 0) {
                run = read(log, 0, values);
            }
            changed = run == null ? 0 : KvmS390CmmaLog.REMAINING.get(log);
            if (run != null) {
                into.position(into.position() + run.count());
            }
            return run;
        }
    }

    private @Nullable Run read(MemorySegment log, long from, MemorySegment values) throws IOException {
        KvmS390CmmaLog.START_GFN.set(log, from);
        KvmS390CmmaLog.COUNT.set(log, (int) values.byteSize());
        KvmS390CmmaLog.FLAGS.set(log, 0);
        KvmS390CmmaLog.MASK.set(log, 0);
        KvmS390CmmaLog.VALUES.set(log, values.address());
        require("storage attributes from page " + from + " on cannot be read", vm.s390GetCmmaBits(log));
        int count = KvmS390CmmaLog.COUNT.get(log);
        long first = KvmS390CmmaLog.START_GFN.get(log);
        if (count < 0 || count > values.byteSize() || (count > 0 && (first < 0 || first > pages - count))) {
            throw new IOException("KVM says that there are " + count + " storage attributes at page " + first
                    + " of a guest of " + pages);
        }
        return count == 0 ? null : new Run(first, count);
    }

    @Override
    public void set(long firstPage, ByteBuffer values) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment log = KvmS390CmmaLog.STRUCT.allocate(arena);
            KvmS390CmmaLog.START_GFN.set(log, firstPage);
            KvmS390CmmaLog.COUNT.set(log, values.remaining());
            KvmS390CmmaLog.MASK.set(log, ALL_BITS);
            KvmS390CmmaLog.VALUES.set(log, MemorySegment.ofBuffer(values).address());
            require(
                    values.remaining() + " storage attributes at page " + firstPage + " cannot be set",
                    vm.s390SetCmmaBits(log));
        }
    }

    private static void require(String otherwise, int result) throws IOException {
        if (result < 0) {
            throw new IOException(otherwise + ": " + Errno.describe(result));
        }
    }
}
