// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A group: {@code /dev/vfio/N}, the devices that the IOMMU cannot tell apart.
 *
 * <p>Each method is one ioctl and returns a value ≥ 0 or {@code -errno}. The fd is not owned.
 *
 * @param libc the system calls
 * @param fd the fd
 */
public record GroupFd(LibC libc, int fd) {
    /**
     * {@code VFIO_GROUP_GET_STATUS}.
     *
     * @param status a {@link VfioGroupStatus}
     * @return 0, or {@code -errno}
     */
    public int getStatus(MemorySegment status) {
        return libc.ioctl(fd, Vfio.VFIO_GROUP_GET_STATUS, status);
    }

    /**
     * {@code VFIO_GROUP_SET_CONTAINER}.
     *
     * @param container the container
     * @return 0, or {@code -errno}
     */
    public int setContainer(ContainerFd container) {
        try (Arena arena = Arena.ofConfined()) {
            return libc.ioctl(fd, Vfio.VFIO_GROUP_SET_CONTAINER, arena.allocateFrom(JAVA_INT, container.fd()));
        }
    }

    /**
     * {@code VFIO_GROUP_SET_CONTAINER}, with an iommufd in the container's place.
     *
     * @param iommufd the iommufd
     * @return 0, or {@code -errno}
     */
    public int setContainer(IommuFd iommufd) {
        try (Arena arena = Arena.ofConfined()) {
            return libc.ioctl(fd, Vfio.VFIO_GROUP_SET_CONTAINER, arena.allocateFrom(JAVA_INT, iommufd.fd()));
        }
    }

    /**
     * {@code VFIO_GROUP_UNSET_CONTAINER}.
     *
     * @return 0, or {@code -errno}
     */
    public int unsetContainer() {
        return libc.ioctl(fd, Vfio.VFIO_GROUP_UNSET_CONTAINER, 0);
    }

    /**
     * {@code VFIO_GROUP_GET_DEVICE_FD}: needs a container with an IOMMU model.
     *
     * @param name a PCI address, an mdev's UUID, or a device's name
     * @return an fd that the caller owns, see {@link DeviceFd}; or {@code -errno}
     */
    public int getDeviceFd(String name) {
        try (Arena arena = Arena.ofConfined()) {
            return libc.ioctl(fd, Vfio.VFIO_GROUP_GET_DEVICE_FD, arena.allocateFrom(name));
        }
    }
}
