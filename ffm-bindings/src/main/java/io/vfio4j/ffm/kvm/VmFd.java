// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * A virtual machine of KVM.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record VmFd(LibC libc, int fd) {
    /**
     * {@code KVM_CHECK_EXTENSION}.
     *
     * @param capability {@code KVM_CAP_*}
     * @return a value &gt; 0 where it is there, 0 where not, or {@code -errno}
     */
    public int checkExtension(int capability) {
        return libc.ioctl(fd, Kvm.KVM_CHECK_EXTENSION, capability);
    }

    /**
     * {@code KVM_ENABLE_CAP}.
     *
     * @param cap a {@link KvmEnableCap}
     * @return 0, or {@code -errno}
     */
    public int enableCap(MemorySegment cap) {
        return libc.ioctl(fd, Kvm.KVM_ENABLE_CAP, cap);
    }

    /**
     * {@code KVM_SET_USER_MEMORY_REGION}.
     *
     * @param region a {@link KvmUserspaceMemoryRegion}
     * @return 0, or {@code -errno}
     */
    public int setUserMemoryRegion(MemorySegment region) {
        return libc.ioctl(fd, Kvm.KVM_SET_USER_MEMORY_REGION, region);
    }

    /**
     * {@code KVM_SET_USER_MEMORY_REGION2}.
     *
     * @param region a {@link KvmUserspaceMemoryRegion2}
     * @return 0, or {@code -errno}
     */
    public int setUserMemoryRegion2(MemorySegment region) {
        return libc.ioctl(fd, Kvm.KVM_SET_USER_MEMORY_REGION2, region);
    }

    /**
     * {@code KVM_GET_DIRTY_LOG}: reads the bitmap; clears it, too, unless told not to by
     * {@code KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2}.
     *
     * @param log a {@link KvmDirtyLog}
     * @return 0, or {@code -errno}
     */
    public int getDirtyLog(MemorySegment log) {
        return libc.ioctl(fd, Kvm.KVM_GET_DIRTY_LOG, log);
    }

    /**
     * {@code KVM_CLEAR_DIRTY_LOG}: before the pages are read, never after.
     *
     * @param clear a {@link KvmClearDirtyLog}
     * @return 0, or {@code -errno}
     */
    public int clearDirtyLog(MemorySegment clear) {
        return libc.ioctl(fd, Kvm.KVM_CLEAR_DIRTY_LOG, clear);
    }

    /**
     * {@code KVM_RESET_DIRTY_RINGS}: before the pages are read, never after.
     *
     * @return how many entries were taken back, or {@code -errno}
     */
    public int resetDirtyRings() {
        return libc.ioctl(fd, Kvm.KVM_RESET_DIRTY_RINGS, 0);
    }

    /**
     * {@code KVM_S390_GET_CMMA_BITS}.
     *
     * @param log a {@link KvmS390CmmaLog}
     * @return 0, or {@code -errno}
     */
    public int s390GetCmmaBits(MemorySegment log) {
        return libc.ioctl(fd, Kvm.KVM_S390_GET_CMMA_BITS, log);
    }

    /**
     * {@code KVM_S390_SET_CMMA_BITS}.
     *
     * @param log a {@link KvmS390CmmaLog}
     * @return 0, or {@code -errno}
     */
    public int s390SetCmmaBits(MemorySegment log) {
        return libc.ioctl(fd, Kvm.KVM_S390_SET_CMMA_BITS, log);
    }

    /**
     * {@code KVM_SET_DEVICE_ATTR}, of the VM itself.
     *
     * @param attr a {@link KvmDeviceAttr}
     * @return 0, or {@code -errno}
     */
    public int setDeviceAttr(MemorySegment attr) {
        return libc.ioctl(fd, Kvm.KVM_SET_DEVICE_ATTR, attr);
    }

    /**
     * {@code KVM_GET_DEVICE_ATTR}, of the VM itself.
     *
     * @param attr a {@link KvmDeviceAttr}
     * @return 0, or {@code -errno}
     */
    public int getDeviceAttr(MemorySegment attr) {
        return libc.ioctl(fd, Kvm.KVM_GET_DEVICE_ATTR, attr);
    }

    /**
     * {@code KVM_SET_TSS_ADDR}.
     *
     * @param address the first of three pages of guest addresses below 4 GiB that are otherwise unused
     * @return 0, or {@code -errno}
     */
    public int setTssAddr(long address) {
        return libc.ioctl(fd, Kvm.KVM_SET_TSS_ADDR, address);
    }

    /**
     * {@code KVM_CREATE_VCPU}.
     *
     * @param id the number of the vCPU
     * @return an fd that the caller owns, see {@link VcpuFd}; or {@code -errno}
     */
    public int createVcpu(int id) {
        return libc.ioctl(fd, Kvm.KVM_CREATE_VCPU, id);
    }
}
