// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

/** The constants of {@code linux/vfio.h}, under their C names. */
public final class Vfio {
    private static final int TYPE_AND_BASE = (';' << 8) + 100;

    /** Container: asks for the API's version. */
    public static final int VFIO_GET_API_VERSION = TYPE_AND_BASE;

    /** Container: asks whether it knows an IOMMU model or other extension. */
    public static final int VFIO_CHECK_EXTENSION = TYPE_AND_BASE + 1;

    /** Container: chooses the IOMMU model. */
    public static final int VFIO_SET_IOMMU = TYPE_AND_BASE + 2;

    /** Group: asks whether it is viable. */
    public static final int VFIO_GROUP_GET_STATUS = TYPE_AND_BASE + 3;

    /** Group: puts it into a container. */
    public static final int VFIO_GROUP_SET_CONTAINER = TYPE_AND_BASE + 4;

    /** Group: takes it out of its container. */
    public static final int VFIO_GROUP_UNSET_CONTAINER = TYPE_AND_BASE + 5;

    /** Group: opens one of its devices by name. */
    public static final int VFIO_GROUP_GET_DEVICE_FD = TYPE_AND_BASE + 6;

    /** Device: describes it. */
    public static final int VFIO_DEVICE_GET_INFO = TYPE_AND_BASE + 7;

    /** Device: describes a region. */
    public static final int VFIO_DEVICE_GET_REGION_INFO = TYPE_AND_BASE + 8;

    /** Device: resets it; its migration state is RUNNING thereafter. */
    public static final int VFIO_DEVICE_RESET = TYPE_AND_BASE + 11;

    /** Device: gets, sets or probes a feature. */
    public static final int VFIO_DEVICE_FEATURE = TYPE_AND_BASE + 17;

    /** Device cdev: binds it to an iommufd. */
    public static final int VFIO_DEVICE_BIND_IOMMUFD = TYPE_AND_BASE + 18;

    /** Device cdev: attaches it to an address space. */
    public static final int VFIO_DEVICE_ATTACH_IOMMUFD_PT = TYPE_AND_BASE + 19;

    /** Saving data_fd: asks how much there is to read in PRE_COPY. */
    public static final int VFIO_MIG_GET_PRECOPY_INFO = TYPE_AND_BASE + 21;

    /** Container, type1: maps memory. */
    public static final int VFIO_IOMMU_MAP_DMA = TYPE_AND_BASE + 13;

    /** Container, type1: takes a mapping away. */
    public static final int VFIO_IOMMU_UNMAP_DMA = TYPE_AND_BASE + 14;

    /** The only version of the API. */
    public static final int VFIO_API_VERSION = 0;

    /** The IOMMU model of x86 and most others. */
    public static final int VFIO_TYPE1_IOMMU = 1;

    /** The same, with unmap semantics that one can rely on. */
    public static final int VFIO_TYPE1v2_IOMMU = 3;

    /** All devices of the group are bound to a VFIO driver or none. */
    public static final int VFIO_GROUP_FLAGS_VIABLE = 1 << 0;

    /** The group is in a container. */
    public static final int VFIO_GROUP_FLAGS_CONTAINER_SET = 1 << 1;

    /** The device says that it supports reset. */
    public static final int VFIO_DEVICE_FLAGS_RESET = 1 << 0;

    /** It is a PCI device. */
    public static final int VFIO_DEVICE_FLAGS_PCI = 1 << 1;

    /** The region can be read. */
    public static final int VFIO_REGION_INFO_FLAG_READ = 1 << 0;

    /** The region can be written. */
    public static final int VFIO_REGION_INFO_FLAG_WRITE = 1 << 1;

    /** The device may read the memory. */
    public static final int VFIO_DMA_MAP_FLAG_READ = 1 << 0;

    /** The device may write the memory. */
    public static final int VFIO_DMA_MAP_FLAG_WRITE = 1 << 1;

    /** The region that is a PCI device's configuration space. */
    public static final int VFIO_PCI_CONFIG_REGION_INDEX = 7;

    /** The bits of the flags that are the feature's number. */
    public static final int VFIO_DEVICE_FEATURE_MASK = 0xffff;

    /** Gets the feature's value. */
    public static final int VFIO_DEVICE_FEATURE_GET = 1 << 16;

    /** Sets the feature's value. */
    public static final int VFIO_DEVICE_FEATURE_SET = 1 << 17;

    /** Asks only whether get or set would be understood. */
    public static final int VFIO_DEVICE_FEATURE_PROBE = 1 << 18;

    /** Feature: which parts of the migration protocol there are. */
    public static final int VFIO_DEVICE_FEATURE_MIGRATION = 1;

    /** Feature: the migration state. */
    public static final int VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2;

    /** Feature: how much a stop-copy would transfer. */
    public static final int VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9;

    /** Feature: opts in to meaningful flags of {@code vfio_precopy_info}. After 6.12. */
    public static final int VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 = 12;

    /** The device has STOP, STOP_COPY and RESUMING. */
    public static final int VFIO_MIGRATION_STOP_COPY = 1 << 0;

    /** The device has RUNNING_P2P. */
    public static final int VFIO_MIGRATION_P2P = 1 << 1;

    /** The device has PRE_COPY. */
    public static final int VFIO_MIGRATION_PRE_COPY = 1 << 2;

    /** There is new initial data: an earlier switchover-ack is void. */
    public static final int VFIO_PRECOPY_INFO_REINIT = 1 << 0;

    /** The device has failed; only a reset leads on. */
    public static final int VFIO_DEVICE_STATE_ERROR = 0;

    /** The device does nothing and changes nothing. */
    public static final int VFIO_DEVICE_STATE_STOP = 1;

    /** The device runs. */
    public static final int VFIO_DEVICE_STATE_RUNNING = 2;

    /** The device is stopped and its state can be read. */
    public static final int VFIO_DEVICE_STATE_STOP_COPY = 3;

    /** The device is stopped and its state can be written. */
    public static final int VFIO_DEVICE_STATE_RESUMING = 4;

    /** The device runs, but begins no new peer-to-peer DMA. */
    public static final int VFIO_DEVICE_STATE_RUNNING_P2P = 5;

    /** The device runs and its state can be read. */
    public static final int VFIO_DEVICE_STATE_PRE_COPY = 6;

    /** As PRE_COPY, but it begins no new peer-to-peer DMA. */
    public static final int VFIO_DEVICE_STATE_PRE_COPY_P2P = 7;

    /** How many states there are. */
    public static final int VFIO_DEVICE_STATE_NR = 8;

    private Vfio() {}
}
