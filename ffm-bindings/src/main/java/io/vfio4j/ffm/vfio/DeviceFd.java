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

    /**
     * {@code VFIO_DEVICE_DETACH_IOMMUFD_PT}.
     *
     * @param detach a {@link VfioDeviceDetachIommufdPt}
     * @return 0, or {@code -errno}
     */
    public int detachIommufdPt(MemorySegment detach) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT, detach);
    }

    /**
     * {@code VFIO_DEVICE_GET_IRQ_INFO}.
     *
     * @param info a {@link VfioIrqInfo}
     * @return 0, or {@code -errno}
     */
    public int getIrqInfo(MemorySegment info) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_GET_IRQ_INFO, info);
    }

    /**
     * {@code VFIO_DEVICE_SET_IRQS}.
     *
     * @param set a {@link VfioIrqSet} with its data
     * @return 0, or {@code -errno}
     */
    public int setIrqs(MemorySegment set) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_SET_IRQS, set);
    }

    /**
     * {@code VFIO_DEVICE_GET_PCI_HOT_RESET_INFO}.
     *
     * @param info a {@link VfioPciHotResetInfo} with room for its devices
     * @return 0, or {@code -errno}
     */
    public int getPciHotResetInfo(MemorySegment info) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
    }

    /**
     * {@code VFIO_DEVICE_PCI_HOT_RESET}.
     *
     * @param reset a {@link VfioPciHotReset} with its groups
     * @return 0, or {@code -errno}
     */
    public int pciHotReset(MemorySegment reset) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_PCI_HOT_RESET, reset);
    }

    /**
     * {@code VFIO_DEVICE_IOEVENTFD}.
     *
     * @param ioeventfd a {@link VfioDeviceIoeventfd}
     * @return 0, or {@code -errno}
     */
    public int ioeventfd(MemorySegment ioeventfd) {
        return libc.ioctl(fd, Vfio.VFIO_DEVICE_IOEVENTFD, ioeventfd);
    }

    /**
     * Reads a region: {@code pread(2)}.
     *
     * @param buffer native memory
     * @param offset where in the buffer to put the first byte
     * @param length how many bytes at the most
     * @param position where to read: {@link VfioRegionInfo#OFFSET} of the region, plus the distance from its begin
     * @return the number of bytes read, or {@code -errno}
     */
    public long pread(MemorySegment buffer, long offset, long length, long position) {
        return libc.pread(fd, buffer, offset, length, position);
    }

    /**
     * Writes a region: {@code pwrite(2)}.
     *
     * @param buffer native memory
     * @param offset where in the buffer the first byte is
     * @param length how many bytes at the most
     * @param position where to write: {@link VfioRegionInfo#OFFSET} of the region, plus the distance from its begin
     * @return the number of bytes written, or {@code -errno}
     */
    public long pwrite(MemorySegment buffer, long offset, long length, long position) {
        return libc.pwrite(fd, buffer, offset, length, position);
    }

    /**
     * Maps a part of a region that can be mapped: {@code mmap(2)}, readable, writable and shared.
     *
     * @param length how many bytes
     * @param position what to map: {@link VfioRegionInfo#OFFSET} of the region, plus the distance from its begin
     * @return the address, which the caller unmaps; or {@code -errno}
     */
    public long mmap(long length, long position) {
        return libc.mmap(length, LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_SHARED, fd, position);
    }
}
