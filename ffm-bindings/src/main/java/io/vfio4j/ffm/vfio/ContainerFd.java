// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * A container: {@code /dev/vfio/vfio}, which gives its groups an I/O address space.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record ContainerFd(LibC libc, int fd) {
    /** Where containers are made. */
    public static final String PATH = "/dev/vfio/vfio";

    /**
     * {@code VFIO_GET_API_VERSION}.
     *
     * @return {@link Vfio#VFIO_API_VERSION}, or {@code -errno}
     */
    public int getApiVersion() {
        return libc.ioctl(fd, Vfio.VFIO_GET_API_VERSION, 0);
    }

    /**
     * {@code VFIO_CHECK_EXTENSION}.
     *
     * @param extension such as {@link Vfio#VFIO_TYPE1v2_IOMMU}
     * @return &gt; 0 where it is there, 0 where not, or {@code -errno}
     */
    public int checkExtension(int extension) {
        return libc.ioctl(fd, Vfio.VFIO_CHECK_EXTENSION, extension);
    }

    /**
     * {@code VFIO_SET_IOMMU}: needs a group in the container.
     *
     * @param model such as {@link Vfio#VFIO_TYPE1v2_IOMMU}
     * @return 0, or {@code -errno}
     */
    public int setIommu(int model) {
        return libc.ioctl(fd, Vfio.VFIO_SET_IOMMU, model);
    }

    /**
     * {@code VFIO_IOMMU_MAP_DMA}.
     *
     * @param map a {@link VfioIommuType1DmaMap}
     * @return 0, or {@code -errno}
     */
    public int mapDma(MemorySegment map) {
        return libc.ioctl(fd, Vfio.VFIO_IOMMU_MAP_DMA, map);
    }

    /**
     * {@code VFIO_IOMMU_UNMAP_DMA}.
     *
     * @param unmap a {@link VfioIommuType1DmaUnmap}
     * @return 0, or {@code -errno}
     */
    public int unmapDma(MemorySegment unmap) {
        return libc.ioctl(fd, Vfio.VFIO_IOMMU_UNMAP_DMA, unmap);
    }

    /**
     * {@code VFIO_IOMMU_GET_INFO}.
     *
     * @param info a {@link VfioIommuType1Info} with room for its capabilities
     * @return 0, or {@code -errno}
     */
    public int getInfo(MemorySegment info) {
        return libc.ioctl(fd, Vfio.VFIO_IOMMU_GET_INFO, info);
    }

    /**
     * {@code VFIO_IOMMU_DIRTY_PAGES}.
     *
     * @param dirtyBitmap a {@link VfioIommuType1DirtyBitmap}
     * @return 0, or {@code -errno}
     */
    public int dirtyPages(MemorySegment dirtyBitmap) {
        return libc.ioctl(fd, Vfio.VFIO_IOMMU_DIRTY_PAGES, dirtyBitmap);
    }
}
