// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * An iommufd: {@code /dev/iommu}, which gives devices opened as cdevs their I/O address spaces.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record IommuFd(LibC libc, int fd) {
    /** Where iommufds are made. */
    public static final String PATH = "/dev/iommu";

    /**
     * {@code IOMMU_DESTROY}.
     *
     * @param destroy an {@link IommuDestroy}
     * @return 0, or {@code -errno}
     */
    public int destroy(MemorySegment destroy) {
        return libc.ioctl(fd, Iommufd.IOMMU_DESTROY, destroy);
    }

    /**
     * {@code IOMMU_IOAS_ALLOC}.
     *
     * @param alloc an {@link IommuIoasAlloc}
     * @return 0, or {@code -errno}
     */
    public int ioasAlloc(MemorySegment alloc) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_ALLOC, alloc);
    }

    /**
     * {@code IOMMU_IOAS_MAP}.
     *
     * @param map an {@link IommuIoasMap}
     * @return 0, or {@code -errno}
     */
    public int ioasMap(MemorySegment map) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_MAP, map);
    }

    /**
     * {@code IOMMU_IOAS_UNMAP}.
     *
     * @param unmap an {@link IommuIoasUnmap}
     * @return 0, or {@code -errno}
     */
    public int ioasUnmap(MemorySegment unmap) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_UNMAP, unmap);
    }
}
