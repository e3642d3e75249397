// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * The page table of this process: {@code /proc/self/pagemap}.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record PagemapFd(LibC libc, int fd) {
    /** Where it is. */
    public static final String PATH = "/proc/self/pagemap";

    /**
     * {@code PAGEMAP_SCAN}.
     *
     * @param scan a {@link PmScanArg}
     * @return how many {@link PageRegion} were filled, or {@code -errno}
     */
    public int scan(MemorySegment scan) {
        return libc.ioctl(fd, Pagemap.PAGEMAP_SCAN, scan);
    }
}
