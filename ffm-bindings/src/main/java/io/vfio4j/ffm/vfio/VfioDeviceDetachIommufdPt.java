// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_detach_iommufd_pt} of {@code linux/vfio.h}: detaches a device from its address
 * space.
 */
public final class VfioDeviceDetachIommufdPt {
    private static final Struct.Builder C = Struct.named("vfio_device_detach_iommufd_pt");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_DEVICE_DETACH_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code pasid}: the PASID, with {@code VFIO_DEVICE_DETACH_PASID}; after 6.12. */
    public static final Struct.U32 PASID = C.u32("pasid");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    /** The length that every kernel with cdevs knows: up to {@code flags}. */
    public static final int SIZE_WITHOUT_PASID = (int) PASID.offset();

    private VfioDeviceDetachIommufdPt() {}
}
