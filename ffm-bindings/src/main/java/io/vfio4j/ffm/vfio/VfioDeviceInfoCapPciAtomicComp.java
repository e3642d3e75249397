// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_info_cap_pci_atomic_comp} of {@code linux/vfio.h}: the capability that says which
 * atomic operations of a PCI device the root completes.
 */
public final class VfioDeviceInfoCapPciAtomicComp {
    private static final Struct.Builder C = Struct.named("vfio_device_info_cap_pci_atomic_comp");

    /** {@code header}: the head, with id {@code VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP}. */
    public static final Struct.Bytes HEADER = C.nested("header", VfioInfoCapHeader.STRUCT);

    /** {@code flags}: {@code VFIO_PCI_ATOMIC_COMP*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("reserved");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceInfoCapPciAtomicComp() {}
}
