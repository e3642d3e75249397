// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.LibC;

/**
 * KVM itself: {@code /dev/kvm}, which makes virtual machines.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record KvmFd(LibC libc, int fd) {
    /** Where KVM is. */
    public static final String PATH = "/dev/kvm";

    /**
     * {@code KVM_GET_API_VERSION}.
     *
     * @return {@link Kvm#KVM_API_VERSION}, or {@code -errno}
     */
    public int getApiVersion() {
        return libc.ioctl(fd, Kvm.KVM_GET_API_VERSION, 0);
    }

    /**
     * {@code KVM_CREATE_VM}.
     *
     * @param type 0 on x86
     * @return an fd that the caller owns, see {@link VmFd}; or {@code -errno}
     */
    public int createVm(int type) {
        return libc.ioctl(fd, Kvm.KVM_CREATE_VM, type);
    }

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
     * {@code KVM_GET_VCPU_MMAP_SIZE}.
     *
     * @return the length of a mapped {@link KvmRun} in bytes, or {@code -errno}
     */
    public int getVcpuMmapSize() {
        return libc.ioctl(fd, Kvm.KVM_GET_VCPU_MMAP_SIZE, 0);
    }
}
