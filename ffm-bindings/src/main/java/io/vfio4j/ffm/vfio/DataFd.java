// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * The data_fd of a data transfer session: reads a device's state in PRE_COPY and STOP_COPY, writes it in RESUMING.
 *
 * <p>Each method is one system call and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record DataFd(LibC libc, int fd) {
    /**
     * {@code VFIO_MIG_GET_PRECOPY_INFO}: not passive; some drivers produce their next increment on this call only.
     *
     * @param info a {@link VfioPrecopyInfo}
     * @return 0, or {@code -errno}
     */
    public int getPrecopyInfo(MemorySegment info) {
        return libc.ioctl(fd, Vfio.VFIO_MIG_GET_PRECOPY_INFO, info);
    }

    /**
     * {@code read(2)}.
     *
     * @param buffer native memory
     * @param offset where in the buffer to put the first byte
     * @param length how many bytes at the most
     * @return the number of bytes read, 0 or {@code -ENOMSG} when drained, or {@code -errno}
     */
    public long read(MemorySegment buffer, long offset, long length) {
        return libc.read(fd, buffer, offset, length);
    }

    /**
     * {@code write(2)}.
     *
     * @param buffer native memory
     * @param offset where in the buffer the first byte is
     * @param length how many bytes at the most
     * @return the number of bytes written, or {@code -errno}
     */
    public long write(MemorySegment buffer, long offset, long length) {
        return libc.write(fd, buffer, offset, length);
    }

    /**
     * {@code close(2)}: the session is gone, the device's state stays.
     *
     * @return 0, or {@code -errno}
     */
    public int close() {
        return libc.close(fd);
    }
}
