// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

/** The constants of {@code linux/iommufd.h}, under their C names. */
public final class Iommufd {
    private static final int TYPE_AND_BASE = (';' << 8) + 0x80;

    /** Destroys an object. */
    public static final int IOMMU_DESTROY = TYPE_AND_BASE;

    /** Makes an address space. */
    public static final int IOMMU_IOAS_ALLOC = TYPE_AND_BASE + 1;

    /** Promises to map only some I/O addresses. */
    public static final int IOMMU_IOAS_ALLOW_IOVAS = TYPE_AND_BASE + 2;

    /** Maps what one address space maps into another. */
    public static final int IOMMU_IOAS_COPY = TYPE_AND_BASE + 3;

    /** Asks which I/O addresses one may map. */
    public static final int IOMMU_IOAS_IOVA_RANGES = TYPE_AND_BASE + 4;

    /** Maps memory of this process. */
    public static final int IOMMU_IOAS_MAP = TYPE_AND_BASE + 5;

    /** Takes mappings away. */
    public static final int IOMMU_IOAS_UNMAP = TYPE_AND_BASE + 6;

    /** Gets or sets an option. */
    public static final int IOMMU_OPTION = TYPE_AND_BASE + 7;

    /** Says which address space answers for a container. */
    public static final int IOMMU_VFIO_IOAS = TYPE_AND_BASE + 8;

    /** Makes a page table. */
    public static final int IOMMU_HWPT_ALLOC = TYPE_AND_BASE + 9;

    /** Asks what the IOMMU in front of a device can do. */
    public static final int IOMMU_GET_HW_INFO = TYPE_AND_BASE + 10;

    /** Turns the dirty tracking of a page table on or off. */
    public static final int IOMMU_HWPT_SET_DIRTY_TRACKING = TYPE_AND_BASE + 11;

    /** Reads the dirty bits of a page table. */
    public static final int IOMMU_HWPT_GET_DIRTY_BITMAP = TYPE_AND_BASE + 12;

    /** Maps a file's memory. After 6.12. */
    public static final int IOMMU_IOAS_MAP_FILE = TYPE_AND_BASE + 15;

    /** Makes the mappings of files the calling process's own. After 6.12. */
    public static final int IOMMU_IOAS_CHANGE_PROCESS = TYPE_AND_BASE + 18;

    /** The caller chooses the address for the device. */
    public static final int IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0;

    /** The device may write. */
    public static final int IOMMU_IOAS_MAP_WRITEABLE = 1 << 1;

    /** The device may read. */
    public static final int IOMMU_IOAS_MAP_READABLE = 1 << 2;

    /** The page table can have others below it. */
    public static final int IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0;

    /** The page table can track dirty pages; {@code EOPNOTSUPP} where the IOMMU cannot. */
    public static final int IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1;

    /** Page faults go to a fault queue. */
    public static final int IOMMU_HWPT_FAULT_ID_VALID = 1 << 2;

    /** The page table can be attached to PASIDs. */
    public static final int IOMMU_HWPT_ALLOC_PASID = 1 << 3;

    /** The page table is a plain one. */
    public static final int IOMMU_HWPT_DATA_NONE = 0;

    /** The caller says which kind of data it wishes for. After 6.12. */
    public static final int IOMMU_HW_INFO_FLAG_INPUT_TYPE = 1 << 0;

    /** The IOMMU says nothing of its own. */
    public static final int IOMMU_HW_INFO_TYPE_NONE = 0;

    /** The IOMMU is Intel's. */
    public static final int IOMMU_HW_INFO_TYPE_INTEL_VTD = 1;

    /** The IOMMU is an SMMUv3. */
    public static final int IOMMU_HW_INFO_TYPE_ARM_SMMUV3 = 2;

    /** The IOMMU can track dirty pages. */
    public static final int IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0;

    /** The device's PASIDs can have memory to execute from. */
    public static final int IOMMU_HW_CAP_PCI_PASID_EXEC = 1 << 1;

    /** The device's PASIDs can have privileged memory. */
    public static final int IOMMU_HW_CAP_PCI_PASID_PRIV = 1 << 2;

    /** The device's address translation service cannot be used. */
    public static final int IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED = 1 << 3;

    /** Turns dirty tracking on, with all bits cleared. */
    public static final int IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1 << 0;

    /** Leaves the dirty bits as they are, for what is about to be unmapped. */
    public static final int IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1 << 0;

    /** Option: whom pinned memory is accounted to: 0 the user, 1 the process. */
    public static final int IOMMU_OPTION_RLIMIT_MODE = 0;

    /** Option of an address space: whether mappings may use huge pages of the IOMMU. */
    public static final int IOMMU_OPTION_HUGE_PAGES = 1;

    /** Sets the option. */
    public static final int IOMMU_OPTION_OP_SET = 0;

    /** Gets the option. */
    public static final int IOMMU_OPTION_OP_GET = 1;

    /** Asks which address space answers for a container. */
    public static final int IOMMU_VFIO_IOAS_GET = 0;

    /** Chooses which address space answers for a container. */
    public static final int IOMMU_VFIO_IOAS_SET = 1;

    /** Has none answer for a container. */
    public static final int IOMMU_VFIO_IOAS_CLEAR = 2;

    private Iommufd() {}
}
