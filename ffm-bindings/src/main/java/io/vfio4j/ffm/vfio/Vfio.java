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

    /** Device: describes a kind of interrupt. */
    public static final int VFIO_DEVICE_GET_IRQ_INFO = TYPE_AND_BASE + 9;

    /** Device: sets up, masks, unmasks or triggers interrupts. */
    public static final int VFIO_DEVICE_SET_IRQS = TYPE_AND_BASE + 10;

    /** Device: resets it; its migration state is RUNNING thereafter. */
    public static final int VFIO_DEVICE_RESET = TYPE_AND_BASE + 11;

    /** PCI device: asks which devices a hot reset would reset. */
    public static final int VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = TYPE_AND_BASE + 12;

    /** PCI device: resets all devices that share its bus or slot. */
    public static final int VFIO_DEVICE_PCI_HOT_RESET = TYPE_AND_BASE + 13;

    /** PCI device: has the kernel write a region whenever an eventfd is signalled. */
    public static final int VFIO_DEVICE_IOEVENTFD = TYPE_AND_BASE + 16;

    /** Device: gets, sets or probes a feature. */
    public static final int VFIO_DEVICE_FEATURE = TYPE_AND_BASE + 17;

    /** Device cdev: binds it to an iommufd. */
    public static final int VFIO_DEVICE_BIND_IOMMUFD = TYPE_AND_BASE + 18;

    /** Device cdev: attaches it to an address space. */
    public static final int VFIO_DEVICE_ATTACH_IOMMUFD_PT = TYPE_AND_BASE + 19;

    /** Device cdev: detaches it from its address space. */
    public static final int VFIO_DEVICE_DETACH_IOMMUFD_PT = TYPE_AND_BASE + 20;

    /** Saving data_fd: asks how much there is to read in PRE_COPY. */
    public static final int VFIO_MIG_GET_PRECOPY_INFO = TYPE_AND_BASE + 21;

    /** Container, type1: describes it. */
    public static final int VFIO_IOMMU_GET_INFO = TYPE_AND_BASE + 12;

    /** Container, type1: maps memory. */
    public static final int VFIO_IOMMU_MAP_DMA = TYPE_AND_BASE + 13;

    /** Container, type1: takes a mapping away. */
    public static final int VFIO_IOMMU_UNMAP_DMA = TYPE_AND_BASE + 14;

    /** Container, type1: starts, stops or reads the tracking of dirty pages. */
    public static final int VFIO_IOMMU_DIRTY_PAGES = TYPE_AND_BASE + 17;

    /** The only version of the API. */
    public static final int VFIO_API_VERSION = 0;

    /** The IOMMU model of x86 and most others. */
    public static final int VFIO_TYPE1_IOMMU = 1;

    /** The same, with unmap semantics that one can rely on. */
    public static final int VFIO_TYPE1v2_IOMMU = 3;

    /** The extension that DMA is coherent with the CPU's caches. */
    public static final int VFIO_DMA_CC_IOMMU = 4;

    /** The IOMMU model that is none: devices reach all memory. */
    public static final int VFIO_NOIOMMU_IOMMU = 8;

    /** The extension that one call takes all mappings away. */
    public static final int VFIO_UNMAP_ALL = 9;

    /** The extension that mappings live on while their memory moves to another address. */
    public static final int VFIO_UPDATE_VADDR = 10;

    /** All devices of the group are bound to a VFIO driver or none. */
    public static final int VFIO_GROUP_FLAGS_VIABLE = 1 << 0;

    /** The group is in a container. */
    public static final int VFIO_GROUP_FLAGS_CONTAINER_SET = 1 << 1;

    /** The device says that it supports reset. */
    public static final int VFIO_DEVICE_FLAGS_RESET = 1 << 0;

    /** It is a PCI device. */
    public static final int VFIO_DEVICE_FLAGS_PCI = 1 << 1;

    /** It is a platform device. */
    public static final int VFIO_DEVICE_FLAGS_PLATFORM = 1 << 2;

    /** It is an AMBA device. */
    public static final int VFIO_DEVICE_FLAGS_AMBA = 1 << 3;

    /** It is a channel device of s390. */
    public static final int VFIO_DEVICE_FLAGS_CCW = 1 << 4;

    /** It is a cryptography device of s390. */
    public static final int VFIO_DEVICE_FLAGS_AP = 1 << 5;

    /** It is a device of an fsl-mc bus. */
    public static final int VFIO_DEVICE_FLAGS_FSL_MC = 1 << 6;

    /** The info has a capability chain; {@code argsz} says how long an argument must be to hold it. */
    public static final int VFIO_DEVICE_FLAGS_CAPS = 1 << 7;

    /** It is a device of a CDX bus. */
    public static final int VFIO_DEVICE_FLAGS_CDX = 1 << 8;

    /** Device capability: which atomic operations of a PCI device the root completes. */
    public static final int VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP = 5;

    /** The root completes atomic operations of 32 bits. */
    public static final int VFIO_PCI_ATOMIC_COMP32 = 1 << 0;

    /** The root completes atomic operations of 64 bits. */
    public static final int VFIO_PCI_ATOMIC_COMP64 = 1 << 1;

    /** The root completes atomic operations of 128 bits. */
    public static final int VFIO_PCI_ATOMIC_COMP128 = 1 << 2;

    /** The region can be read. */
    public static final int VFIO_REGION_INFO_FLAG_READ = 1 << 0;

    /** The region can be written. */
    public static final int VFIO_REGION_INFO_FLAG_WRITE = 1 << 1;

    /** The region can be mapped. */
    public static final int VFIO_REGION_INFO_FLAG_MMAP = 1 << 2;

    /** The info has a capability chain; {@code argsz} says how long an argument must be to hold it. */
    public static final int VFIO_REGION_INFO_FLAG_CAPS = 1 << 3;

    /** Region capability: which parts can be mapped. */
    public static final int VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;

    /** Region capability: what a device-specific region is. */
    public static final int VFIO_REGION_INFO_CAP_TYPE = 2;

    /** Region capability: the part with the MSI-X table can be mapped, too. */
    public static final int VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3;

    /** The type of region by which migration version 1 worked, which no kernel has any more. */
    public static final int VFIO_REGION_TYPE_MIGRATION_DEPRECATED = 3;

    /** The interrupts can signal eventfds. */
    public static final int VFIO_IRQ_INFO_EVENTFD = 1 << 0;

    /** The interrupts can be masked. */
    public static final int VFIO_IRQ_INFO_MASKABLE = 1 << 1;

    /** The interrupts mask themselves when they come. */
    public static final int VFIO_IRQ_INFO_AUTOMASKED = 1 << 2;

    /** The interrupts of this kind are set up all at once, or not at all. */
    public static final int VFIO_IRQ_INFO_NORESIZE = 1 << 3;

    /** No data: the action goes for all of the range, now. */
    public static final int VFIO_IRQ_SET_DATA_NONE = 1 << 0;

    /** A byte for each interrupt: whether the action goes for it, now. */
    public static final int VFIO_IRQ_SET_DATA_BOOL = 1 << 1;

    /** An eventfd for each interrupt: the action is bound to it. */
    public static final int VFIO_IRQ_SET_DATA_EVENTFD = 1 << 2;

    /** Masks. */
    public static final int VFIO_IRQ_SET_ACTION_MASK = 1 << 3;

    /** Unmasks. */
    public static final int VFIO_IRQ_SET_ACTION_UNMASK = 1 << 4;

    /** Triggers. */
    public static final int VFIO_IRQ_SET_ACTION_TRIGGER = 1 << 5;

    /** The bits of the flags that are the kind of data. */
    public static final int VFIO_IRQ_SET_DATA_TYPE_MASK =
            VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_DATA_EVENTFD;

    /** The bits of the flags that are the action. */
    public static final int VFIO_IRQ_SET_ACTION_TYPE_MASK =
            VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_ACTION_TRIGGER;

    /** The devices are named by their ids in the iommufd. */
    public static final int VFIO_PCI_HOT_RESET_FLAG_DEV_ID = 1 << 0;

    /** All devices that need to be are the caller's. */
    public static final int VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED = 1 << 1;

    /** In place of a device's id: none, and none needed. */
    public static final int VFIO_PCI_DEVID_OWNED = 0;

    /** In place of a device's id: the device is in the way of a hot reset. */
    public static final int VFIO_PCI_DEVID_NOT_OWNED = -1;

    /** The write is 1 byte wide. */
    public static final int VFIO_DEVICE_IOEVENTFD_8 = 1 << 0;

    /** The write is 2 bytes wide. */
    public static final int VFIO_DEVICE_IOEVENTFD_16 = 1 << 1;

    /** The write is 4 bytes wide. */
    public static final int VFIO_DEVICE_IOEVENTFD_32 = 1 << 2;

    /** The write is 8 bytes wide. */
    public static final int VFIO_DEVICE_IOEVENTFD_64 = 1 << 3;

    /** The bits of the flags that are the width. */
    public static final int VFIO_DEVICE_IOEVENTFD_SIZE_MASK = 0xf;

    /** Binding comes with a VF token. After 6.12. */
    public static final int VFIO_DEVICE_BIND_FLAG_TOKEN = 1 << 0;

    /** Attaches a PASID of the device, not the device. After 6.12. */
    public static final int VFIO_DEVICE_ATTACH_PASID = 1 << 0;

    /** Detaches a PASID of the device, not the device. After 6.12. */
    public static final int VFIO_DEVICE_DETACH_PASID = 1 << 0;

    /** The page sizes of the info are valid. */
    public static final int VFIO_IOMMU_INFO_PGSIZES = 1 << 0;

    /** The info has a capability chain; {@code argsz} says how long an argument must be to hold it. */
    public static final int VFIO_IOMMU_INFO_CAPS = 1 << 1;

    /** Type1 capability: which I/O addresses one may map. */
    public static final int VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;

    /** Type1 capability: how dirty pages are tracked. */
    public static final int VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION = 2;

    /** Type1 capability: how many mappings may still be made. */
    public static final int VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL = 3;

    /** The device may read the memory. */
    public static final int VFIO_DMA_MAP_FLAG_READ = 1 << 0;

    /** The device may write the memory. */
    public static final int VFIO_DMA_MAP_FLAG_WRITE = 1 << 1;

    /** Gives mappings whose address is void their memory's new address. */
    public static final int VFIO_DMA_MAP_FLAG_VADDR = 1 << 2;

    /** Reads the dirty pages of what is unmapped. */
    public static final int VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 1 << 0;

    /** Goes for all mappings; address and length are 0. */
    public static final int VFIO_DMA_UNMAP_FLAG_ALL = 1 << 1;

    /** Leaves the mappings, and declares their memory's address void. */
    public static final int VFIO_DMA_UNMAP_FLAG_VADDR = 1 << 2;

    /** Starts the tracking of dirty pages. */
    public static final int VFIO_IOMMU_DIRTY_PAGES_FLAG_START = 1 << 0;

    /** Stops the tracking of dirty pages. */
    public static final int VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP = 1 << 1;

    /** Reads and clears the dirty pages of one mapping. */
    public static final int VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP = 1 << 2;

    /** The region that is a PCI device's BAR 0. */
    public static final int VFIO_PCI_BAR0_REGION_INDEX = 0;

    /** The region that is a PCI device's BAR 1. */
    public static final int VFIO_PCI_BAR1_REGION_INDEX = 1;

    /** The region that is a PCI device's BAR 2. */
    public static final int VFIO_PCI_BAR2_REGION_INDEX = 2;

    /** The region that is a PCI device's BAR 3. */
    public static final int VFIO_PCI_BAR3_REGION_INDEX = 3;

    /** The region that is a PCI device's BAR 4. */
    public static final int VFIO_PCI_BAR4_REGION_INDEX = 4;

    /** The region that is a PCI device's BAR 5. */
    public static final int VFIO_PCI_BAR5_REGION_INDEX = 5;

    /** The region that is a PCI device's expansion ROM. */
    public static final int VFIO_PCI_ROM_REGION_INDEX = 6;

    /** The region that is a PCI device's configuration space. */
    public static final int VFIO_PCI_CONFIG_REGION_INDEX = 7;

    /** The region that is the VGA part of a PCI device. */
    public static final int VFIO_PCI_VGA_REGION_INDEX = 8;

    /** How many regions of fixed meaning a PCI device has. */
    public static final int VFIO_PCI_NUM_REGIONS = 9;

    /** The kind of interrupt that is a PCI device's line. */
    public static final int VFIO_PCI_INTX_IRQ_INDEX = 0;

    /** The kind of interrupt that is a PCI device's MSI. */
    public static final int VFIO_PCI_MSI_IRQ_INDEX = 1;

    /** The kind of interrupt that is a PCI device's MSI-X. */
    public static final int VFIO_PCI_MSIX_IRQ_INDEX = 2;

    /** The kind of interrupt that says that a PCI device has failed. */
    public static final int VFIO_PCI_ERR_IRQ_INDEX = 3;

    /** The kind of interrupt by which the kernel wants a PCI device back. */
    public static final int VFIO_PCI_REQ_IRQ_INDEX = 4;

    /** How many kinds of interrupt of fixed meaning a PCI device has. */
    public static final int VFIO_PCI_NUM_IRQS = 5;

    /** The bits of the flags that are the feature's number. */
    public static final int VFIO_DEVICE_FEATURE_MASK = 0xffff;

    /** Gets the feature's value. */
    public static final int VFIO_DEVICE_FEATURE_GET = 1 << 16;

    /** Sets the feature's value. */
    public static final int VFIO_DEVICE_FEATURE_SET = 1 << 17;

    /** Asks only whether get or set would be understood. */
    public static final int VFIO_DEVICE_FEATURE_PROBE = 1 << 18;

    /** Feature, SET: the UUID that opens the virtual functions of this physical one; 16 bytes. */
    public static final int VFIO_DEVICE_FEATURE_PCI_VF_TOKEN = 0;

    /** Feature: which parts of the migration protocol there are. */
    public static final int VFIO_DEVICE_FEATURE_MIGRATION = 1;

    /** Feature: the migration state. */
    public static final int VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2;

    /** Feature, SET: lets the device fall asleep until it is accessed. */
    public static final int VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY = 3;

    /** Feature, SET: lets the device fall asleep, and signals an eventfd when it wakes. */
    public static final int VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP = 4;

    /** Feature, SET: wakes the device. */
    public static final int VFIO_DEVICE_FEATURE_LOW_POWER_EXIT = 5;

    /** Feature, SET: starts the logging of the device's DMA writes. */
    public static final int VFIO_DEVICE_FEATURE_DMA_LOGGING_START = 6;

    /** Feature, SET without payload: stops the logging of the device's DMA writes. */
    public static final int VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP = 7;

    /** Feature, GET: reads and clears the log of a range. */
    public static final int VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT = 8;

    /** Feature: how much a stop-copy would transfer. */
    public static final int VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9;

    /** Feature, GET and SET: whether a CDX device may begin DMA. */
    public static final int VFIO_DEVICE_FEATURE_BUS_MASTER = 10;

    /** The device may not begin DMA. */
    public static final int VFIO_DEVICE_FEATURE_CLEAR_MASTER = 0;

    /** The device may begin DMA. */
    public static final int VFIO_DEVICE_FEATURE_SET_MASTER = 1;

    /** Feature, GET: makes a dma-buf of parts of a region. After 6.12. */
    public static final int VFIO_DEVICE_FEATURE_DMA_BUF = 11;

    /** Feature: opts in to meaningful flags of {@code vfio_precopy_info}. After 6.12. */
    public static final int VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 = 12;

    /** Feature, GET: an error of an s390 PCI device. After 7.2. */
    public static final int VFIO_DEVICE_FEATURE_ZPCI_ERROR = 13;

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
