// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_option} of {@code linux/iommufd.h}: gets or sets an option of an iommufd or one of its
 * objects.
 */
public final class IommuOption {
    private static final Struct.Builder C = Struct.named("iommu_option");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code option_id}: {@code IOMMU_OPTION_RLIMIT_MODE} or {@code IOMMU_OPTION_HUGE_PAGES}. */
    public static final Struct.U32 OPTION_ID = C.u32("option_id");

    /** {@code op}: {@code IOMMU_OPTION_OP_SET} or {@code IOMMU_OPTION_OP_GET}. */
    public static final Struct.U16 OP = C.u16("op");

    /** {@code __reserved}: 0. */
    public static final Struct.U16 RESERVED = C.u16("__reserved");

    /** {@code object_id}: the object, 0 for the iommufd itself. */
    public static final Struct.U32 OBJECT_ID = C.u32("object_id");

    /** {@code val64}: the value. */
    public static final Struct.U64 VAL64 = C.u64("val64");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuOption() {}
}
