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

    /**
     * {@code IOMMU_IOAS_MAP_FILE}.
     *
     * @param map an {@link IommuIoasMapFile}
     * @return 0, or {@code -errno}
     */
    public int ioasMapFile(MemorySegment map) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_MAP_FILE, map);
    }

    /**
     * {@code IOMMU_IOAS_COPY}.
     *
     * @param copy an {@link IommuIoasCopy}
     * @return 0, or {@code -errno}
     */
    public int ioasCopy(MemorySegment copy) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_COPY, copy);
    }

    /**
     * {@code IOMMU_IOAS_IOVA_RANGES}.
     *
     * @param ranges an {@link IommuIoasIovaRanges}
     * @return 0, or {@code -errno}
     */
    public int ioasIovaRanges(MemorySegment ranges) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_IOVA_RANGES, ranges);
    }

    /**
     * {@code IOMMU_IOAS_ALLOW_IOVAS}.
     *
     * @param allow an {@link IommuIoasAllowIovas}
     * @return 0, or {@code -errno}
     */
    public int ioasAllowIovas(MemorySegment allow) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_ALLOW_IOVAS, allow);
    }

    /**
     * {@code IOMMU_IOAS_CHANGE_PROCESS}.
     *
     * @param change an {@link IommuIoasChangeProcess}
     * @return 0, or {@code -errno}
     */
    public int ioasChangeProcess(MemorySegment change) {
        return libc.ioctl(fd, Iommufd.IOMMU_IOAS_CHANGE_PROCESS, change);
    }

    /**
     * {@code IOMMU_OPTION}.
     *
     * @param option an {@link IommuOption}
     * @return 0, or {@code -errno}
     */
    public int option(MemorySegment option) {
        return libc.ioctl(fd, Iommufd.IOMMU_OPTION, option);
    }

    /**
     * {@code IOMMU_VFIO_IOAS}.
     *
     * @param vfioIoas an {@link IommuVfioIoas}
     * @return 0, or {@code -errno}
     */
    public int vfioIoas(MemorySegment vfioIoas) {
        return libc.ioctl(fd, Iommufd.IOMMU_VFIO_IOAS, vfioIoas);
    }

    /**
     * {@code IOMMU_HWPT_ALLOC}.
     *
     * @param alloc an {@link IommuHwptAlloc}
     * @return 0, or {@code -errno}
     */
    public int hwptAlloc(MemorySegment alloc) {
        return libc.ioctl(fd, Iommufd.IOMMU_HWPT_ALLOC, alloc);
    }

    /**
     * {@code IOMMU_GET_HW_INFO}.
     *
     * @param info an {@link IommuHwInfo}
     * @return 0, or {@code -errno}
     */
    public int getHwInfo(MemorySegment info) {
        return libc.ioctl(fd, Iommufd.IOMMU_GET_HW_INFO, info);
    }

    /**
     * {@code IOMMU_HWPT_SET_DIRTY_TRACKING}.
     *
     * @param set an {@link IommuHwptSetDirtyTracking}
     * @return 0, or {@code -errno}
     */
    public int hwptSetDirtyTracking(MemorySegment set) {
        return libc.ioctl(fd, Iommufd.IOMMU_HWPT_SET_DIRTY_TRACKING, set);
    }

    /**
     * {@code IOMMU_HWPT_GET_DIRTY_BITMAP}.
     *
     * @param get an {@link IommuHwptGetDirtyBitmap}
     * @return 0, or {@code -errno}
     */
    public int hwptGetDirtyBitmap(MemorySegment get) {
        return libc.ioctl(fd, Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP, get);
    }
}
