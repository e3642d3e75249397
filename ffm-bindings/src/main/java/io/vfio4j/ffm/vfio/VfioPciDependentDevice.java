// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_pci_dependent_device} of {@code linux/vfio.h}: a device that a hot reset of another one
 * resets, too.
 */
public final class VfioPciDependentDevice {
    private static final Struct.Builder C = Struct.named("vfio_pci_dependent_device");

    /** {@code group_id}: its group. */
    public static final Struct.U32 GROUP_ID = C.u32("group_id");

    /**
     * {@code devid}: its id in the iommufd, with {@code VFIO_PCI_HOT_RESET_FLAG_DEV_ID}; 0 where it needs none, -1
     * where it is not owned.
     */
    public static final Struct.U32 DEVID = C.over(GROUP_ID).u32("devid");

    /** {@code segment}: its PCI segment. */
    public static final Struct.U16 SEGMENT = C.u16("segment");

    /** {@code bus}: its PCI bus. */
    public static final Struct.U8 BUS = C.u8("bus");

    /** {@code devfn}: its PCI device and function. */
    public static final Struct.U8 DEVFN = C.u8("devfn");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioPciDependentDevice() {}
}
