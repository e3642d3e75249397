// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

/** The constants of {@code linux/iommufd.h}, under their C names. */
public final class Iommufd {
    private static final int TYPE_AND_BASE = (';' << 8) + 0x80;

    /** Destroys an object. */
    public static final int IOMMU_DESTROY = TYPE_AND_BASE;

    /** Makes an address space. */
    public static final int IOMMU_IOAS_ALLOC = TYPE_AND_BASE + 1;

    /** Maps memory of this process. */
    public static final int IOMMU_IOAS_MAP = TYPE_AND_BASE + 5;

    /** Takes mappings away. */
    public static final int IOMMU_IOAS_UNMAP = TYPE_AND_BASE + 6;

    /** The caller chooses the address for the device. */
    public static final int IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0;

    /** The device may write. */
    public static final int IOMMU_IOAS_MAP_WRITEABLE = 1 << 1;

    /** The device may read. */
    public static final int IOMMU_IOAS_MAP_READABLE = 1 << 2;

    private Iommufd() {}
}
