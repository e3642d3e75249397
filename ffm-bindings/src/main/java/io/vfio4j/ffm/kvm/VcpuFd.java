// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * A virtual processor of a VM of KVM, driven by one thread.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record VcpuFd(LibC libc, int fd) {
    /**
     * {@code KVM_RUN}: runs until the vCPU leaves; {@link KvmRun#EXIT_REASON} says why.
     *
     * @return 0, or {@code -errno}
     */
    public int run() {
        return libc.ioctl(fd, Kvm.KVM_RUN, 0);
    }

    /**
     * {@code KVM_GET_REGS}.
     *
     * @param regs a {@link KvmRegs}
     * @return 0, or {@code -errno}
     */
    public int getRegs(MemorySegment regs) {
        return libc.ioctl(fd, Kvm.KVM_GET_REGS, regs);
    }

    /**
     * {@code KVM_SET_REGS}.
     *
     * @param regs a {@link KvmRegs}
     * @return 0, or {@code -errno}
     */
    public int setRegs(MemorySegment regs) {
        return libc.ioctl(fd, Kvm.KVM_SET_REGS, regs);
    }

    /**
     * {@code KVM_GET_SREGS}.
     *
     * @param sregs a {@link KvmSregs}
     * @return 0, or {@code -errno}
     */
    public int getSregs(MemorySegment sregs) {
        return libc.ioctl(fd, Kvm.KVM_GET_SREGS, sregs);
    }

    /**
     * {@code KVM_SET_SREGS}.
     *
     * @param sregs a {@link KvmSregs}
     * @return 0, or {@code -errno}
     */
    public int setSregs(MemorySegment sregs) {
        return libc.ioctl(fd, Kvm.KVM_SET_SREGS, sregs);
    }
}
