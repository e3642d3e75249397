// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_device_bind_iommufd} of {@code linux/vfio.h}: binds a device cdev to an iommufd. */
public final class VfioDeviceBindIommufd {
    private static final Struct.Builder C = Struct.named("vfio_device_bind_iommufd");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_DEVICE_BIND_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code iommufd}: the iommufd. */
    public static final Struct.S32 IOMMUFD = C.s32("iommufd");

    /** {@code out_devid}: receives the device's id in the iommufd. */
    public static final Struct.U32 OUT_DEVID = C.u32("out_devid");

    /** {@code token_uuid_ptr}: the VF token's address, with {@code VFIO_DEVICE_BIND_FLAG_TOKEN}; after 6.12. */
    public static final Struct.U64 TOKEN_UUID_PTR = C.u64("token_uuid_ptr");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    /** The length that every kernel with cdevs knows: up to {@code out_devid}. */
    public static final int SIZE_WITHOUT_TOKEN = (int) TOKEN_UUID_PTR.offset();

    private VfioDeviceBindIommufd() {}
}
