// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_hwpt_set_dirty_tracking} of {@code linux/iommufd.h}: turns the dirty tracking of a page
 * table on or off.
 */
public final class IommuHwptSetDirtyTracking {
    private static final Struct.Builder C = Struct.named("iommu_hwpt_set_dirty_tracking");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: {@code IOMMU_HWPT_DIRTY_TRACKING_ENABLE}, or 0 for off. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code hwpt_id}: the page table. */
    public static final Struct.U32 HWPT_ID = C.u32("hwpt_id");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuHwptSetDirtyTracking() {}
}
