// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.iommufd.IommuDestroy;
import io.vfio4j.ffm.iommufd.IommuIoasAlloc;
import io.vfio4j.ffm.iommufd.IommuIoasMap;
import io.vfio4j.ffm.iommufd.IommuIoasUnmap;
import io.vfio4j.ffm.iommufd.Iommufd;
import io.vfio4j.ffm.vfio.Vfio;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code /dev/iommu}: ids of devices and address spaces, and what is mapped. */
final class IommufdFile extends EmulatedFile {
    private final Map<Integer, Mappings> addressSpaces = new HashMap<>();
    private final Map<Integer, @Nullable Integer> devices = new HashMap<>();
    private int nextId = 1;

    @Override
    synchronized int ioctl(long request, MemorySegment argument) {
        return switch ((int) request) {
            case Iommufd.IOMMU_DESTROY -> destroy(argument);
            case Iommufd.IOMMU_IOAS_ALLOC -> allocate(argument);
            case Iommufd.IOMMU_IOAS_MAP -> map(argument);
            case Iommufd.IOMMU_IOAS_UNMAP -> unmap(argument);
            // An iommufd answers some ioctls of a container, so that it can take the place of one.
            case Vfio.VFIO_GET_API_VERSION -> Vfio.VFIO_API_VERSION;
            default -> Errno.ENOTTY.negated();
        };
    }

    /** Takes a device in, and returns its id. */
    synchronized int bind() {
        int id = nextId++;
        devices.put(id, null);
        return id;
    }

    synchronized void unbind(int device) {
        devices.remove(device);
    }

    /** Gives a device an address space: 0, or -errno. */
    synchronized int attach(int device, int addressSpace) {
        if (!addressSpaces.containsKey(addressSpace)) {
            return (devices.containsKey(addressSpace) ? Errno.EINVAL : Errno.ENOENT).negated();
        }
        devices.put(device, addressSpace);
        return 0;
    }

    private int destroy(MemorySegment argument) {
        int result = Arguments.checkExtensible(argument, IommuDestroy.STRUCT.size(), IommuDestroy.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int id = IommuDestroy.ID.get(argument);
        if (devices.containsKey(id) || devices.containsValue(id)) {
            return Errno.EBUSY.negated();
        }
        return addressSpaces.remove(id) == null ? Errno.ENOENT.negated() : 0;
    }

    private int allocate(MemorySegment argument) {
        int result = Arguments.checkExtensible(argument, IommuIoasAlloc.STRUCT.size(), IommuIoasAlloc.STRUCT.size());
        if (result < 0) {
            return result;
        }
        if (IommuIoasAlloc.FLAGS.get(argument) != 0) {
            return Errno.EOPNOTSUPP.negated();
        }
        int id = nextId++;
        addressSpaces.put(id, new Mappings());
        IommuIoasAlloc.OUT_IOAS_ID.set(argument, id);
        return 0;
    }

    private int map(MemorySegment argument) {
        int result = Arguments.checkExtensible(argument, IommuIoasMap.STRUCT.size(), IommuIoasMap.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int flags = IommuIoasMap.FLAGS.get(argument);
        int known =
                Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA | Iommufd.IOMMU_IOAS_MAP_WRITEABLE | Iommufd.IOMMU_IOAS_MAP_READABLE;
        if ((flags & ~known) != 0 || IommuIoasMap.RESERVED.get(argument) != 0) {
            return Errno.EOPNOTSUPP.negated();
        }
        Mappings mappings = addressSpaces.get(IommuIoasMap.IOAS_ID.get(argument));
        if (mappings == null) {
            return Errno.ENOENT.negated();
        }
        boolean fixed = (flags & Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA) != 0;
        long iova = fixed ? IommuIoasMap.IOVA.get(argument) : mappings.end();
        long length = IommuIoasMap.LENGTH.get(argument);
        if (length <= 0 || !Mappings.isAligned(iova, length)) {
            return Errno.EINVAL.negated();
        }
        if (!mappings.add(iova, length)) {
            return Errno.EEXIST.negated();
        }
        IommuIoasMap.IOVA.set(argument, iova);
        return 0;
    }

    private int unmap(MemorySegment argument) {
        int result = Arguments.checkExtensible(argument, IommuIoasUnmap.STRUCT.size(), IommuIoasUnmap.STRUCT.size());
        if (result < 0) {
            return result;
        }
        Mappings mappings = addressSpaces.get(IommuIoasUnmap.IOAS_ID.get(argument));
        long removed = mappings == null
                ? 0
                : mappings.remove(IommuIoasUnmap.IOVA.get(argument), IommuIoasUnmap.LENGTH.get(argument));
        if (removed == 0) {
            return Errno.ENOENT.negated();
        }
        IommuIoasUnmap.LENGTH.set(argument, removed);
        return 0;
    }
}
