// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaMap;
import io.vfio4j.ffm.vfio.VfioIommuType1DmaUnmap;
import java.lang.foreign.MemorySegment;

/** {@code /dev/vfio/vfio}: a container of groups with a type1 IOMMU. */
final class ContainerFile extends EmulatedFile {
    private Mappings mappings = new Mappings();
    private int groups;
    private boolean hasIommu;

    @Override
    int ioctl(long request, MemorySegment argument) {
        return switch ((int) request) {
            case Vfio.VFIO_IOMMU_MAP_DMA -> map(argument);
            case Vfio.VFIO_IOMMU_UNMAP_DMA -> unmap(argument);
            default -> ioctl(request, argument.address());
        };
    }

    @Override
    synchronized int ioctl(long request, long value) {
        return switch ((int) request) {
            case Vfio.VFIO_GET_API_VERSION -> Vfio.VFIO_API_VERSION;
            case Vfio.VFIO_CHECK_EXTENSION -> isType1(value) ? 1 : 0;
            case Vfio.VFIO_SET_IOMMU -> setIommu(value);
            case Vfio.VFIO_IOMMU_MAP_DMA, Vfio.VFIO_IOMMU_UNMAP_DMA ->
                (hasIommu ? Errno.EFAULT : Errno.EINVAL).negated();
            default -> (hasIommu ? Errno.ENOTTY : Errno.EINVAL).negated();
        };
    }

    synchronized void attach() {
        groups++;
    }

    /** Lets a group go. With the last one the IOMMU and its mappings go, too. */
    synchronized void detach() {
        if (--groups == 0) {
            hasIommu = false;
            mappings = new Mappings();
        }
    }

    synchronized boolean hasIommu() {
        return hasIommu;
    }

    private static boolean isType1(long model) {
        return model == Vfio.VFIO_TYPE1_IOMMU || model == Vfio.VFIO_TYPE1v2_IOMMU;
    }

    private int setIommu(long model) {
        if (groups == 0 || hasIommu) {
            return Errno.EINVAL.negated();
        }
        if (!isType1(model)) {
            return Errno.ENODEV.negated();
        }
        hasIommu = true;
        return 0;
    }

    private synchronized int map(MemorySegment argument) {
        if (!hasIommu) {
            return Errno.EINVAL.negated();
        }
        int result = Arguments.check(argument, VfioIommuType1DmaMap.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int known = Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE;
        int flags = VfioIommuType1DmaMap.FLAGS.get(argument);
        long iova = VfioIommuType1DmaMap.IOVA.get(argument);
        long size = VfioIommuType1DmaMap.SIZE.get(argument);
        if (flags == 0
                || (flags & ~known) != 0
                || size <= 0
                || !Mappings.isAligned(iova, size)
                || !Mappings.isAligned(VfioIommuType1DmaMap.VADDR.get(argument), size)) {
            return Errno.EINVAL.negated();
        }
        return mappings.add(iova, size) ? 0 : Errno.EEXIST.negated();
    }

    private synchronized int unmap(MemorySegment argument) {
        if (!hasIommu) {
            return Errno.EINVAL.negated();
        }
        int result = Arguments.check(argument, VfioIommuType1DmaUnmap.STRUCT.size());
        if (result < 0) {
            return result;
        }
        long iova = VfioIommuType1DmaUnmap.IOVA.get(argument);
        long size = VfioIommuType1DmaUnmap.SIZE.get(argument);
        if (VfioIommuType1DmaUnmap.FLAGS.get(argument) != 0 || size <= 0 || !Mappings.isAligned(iova, size)) {
            return Errno.EINVAL.negated();
        }
        VfioIommuType1DmaUnmap.SIZE.set(argument, mappings.remove(iova, size));
        return 0;
    }
}
