// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * A userfaultfd, which {@link LibC#userfaultfd} makes: notes or handles faults of this process's memory.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record UserfaultFd(LibC libc, int fd) {
    /**
     * {@code UFFDIO_API}: the first call.
     *
     * @param api a {@link UffdioApi}
     * @return 0, or {@code -errno}
     */
    public int api(MemorySegment api) {
        return libc.ioctl(fd, Userfaultfd.UFFDIO_API, api);
    }

    /**
     * {@code UFFDIO_REGISTER}.
     *
     * @param register a {@link UffdioRegister}
     * @return 0, or {@code -errno}
     */
    public int register(MemorySegment register) {
        return libc.ioctl(fd, Userfaultfd.UFFDIO_REGISTER, register);
    }

    /**
     * {@code UFFDIO_UNREGISTER}.
     *
     * @param range a {@link UffdioRange}
     * @return 0, or {@code -errno}
     */
    public int unregister(MemorySegment range) {
        return libc.ioctl(fd, Userfaultfd.UFFDIO_UNREGISTER, range);
    }

    /**
     * {@code UFFDIO_WRITEPROTECT}.
     *
     * @param writeprotect a {@link UffdioWriteprotect}
     * @return 0, or {@code -errno}
     */
    public int writeprotect(MemorySegment writeprotect) {
        return libc.ioctl(fd, Userfaultfd.UFFDIO_WRITEPROTECT, writeprotect);
    }
}
