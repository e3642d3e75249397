// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct iommu_hw_info} of {@code linux/iommufd.h}: what the IOMMU in front of a device can do. */
public final class IommuHwInfo {
    private static final Struct.Builder C = Struct.named("iommu_hw_info");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: {@code IOMMU_HW_INFO_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code dev_id}: the device. */
    public static final Struct.U32 DEV_ID = C.u32("dev_id");

    /** {@code data_len}: the length of the buffer in bytes, 0 for none; how long the data is on return. */
    public static final Struct.U32 DATA_LEN = C.u32("data_len");

    /** {@code data_uptr}: the address of the buffer for data of the IOMMU's own kind, 0 for none. */
    public static final Struct.U64 DATA_UPTR = C.u64("data_uptr");

    /** {@code in_data_type}: the kind of data wished for, with {@code IOMMU_HW_INFO_FLAG_INPUT_TYPE}. */
    public static final Struct.U32 IN_DATA_TYPE = C.u32("in_data_type");

    /** {@code out_data_type}: receives the kind of IOMMU. */
    public static final Struct.U32 OUT_DATA_TYPE = C.over(IN_DATA_TYPE).u32("out_data_type");

    /** {@code out_max_pasid_log2}: receives the width of PASIDs in bits, 0 for none. */
    public static final Struct.U8 OUT_MAX_PASID_LOG2 = C.u8("out_max_pasid_log2");

    /** {@code __reserved}: 0. */
    public static final Struct.Bytes RESERVED = C.array("__reserved", 3, 1);

    /** {@code out_capabilities}: receives {@code IOMMU_HW_CAP_*}. */
    public static final Struct.U64 OUT_CAPABILITIES = C.u64("out_capabilities");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuHwInfo() {}
}
