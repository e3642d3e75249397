// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;

/**
 * A device, opened as a cdev ({@code /dev/vfio/devices/vfioN}) or through its group.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record DeviceFd(LibC libc, int fd) {
    /**
     * {@code VFIO_DEVICE_BIND_IOMMUFD}: the first call on a cdev; all others fail before it.
     *
     * @param bind a {@link VfioDeviceBindIommufd}
     * @return 0, or {@code -errno}
     */
    public int bindIommufd(MemorySegment bind) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_BIND_IOMMUFD, bind);
    }

    /**
     * {@code VFIO_DEVICE_ATTACH_IOMMUFD_PT}.
     *
     * @param attach a {@link VfioDeviceAttachIommufdPt}
     * @return 0, or {@code -errno}
     */
    public int attachIommufdPt(MemorySegment attach) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
    }

    /**
     * {@code VFIO_DEVICE_GET_INFO}.
     *
     * @param info a {@link VfioDeviceInfo}
     * @return 0, or {@code -errno}
     */
    public int getInfo(MemorySegment info) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_GET_INFO, info);
    }

    /**
     * {@code VFIO_DEVICE_GET_REGION_INFO}.
     *
     * @param info a {@link VfioRegionInfo}
     * @return 0, or {@code -errno}
     */
    public int getRegionInfo(MemorySegment info) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_GET_REGION_INFO, info);
    }

    /**
     * {@code VFIO_DEVICE_RESET}.
     *
     * @return 0, or {@code -errno}
     */
    public int reset() {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_RESET, 0);
    }

    /**
     * {@code VFIO_DEVICE_FEATURE}.
     *
     * @param feature a {@link VfioDeviceFeature} with its payload
     * @return a value ≥ 0, or {@code -errno}
     */
    public int feature(MemorySegment feature) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_FEATURE, feature);
    }
}
