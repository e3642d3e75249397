// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_hwpt_alloc} of {@code linux/iommufd.h}: makes a page table for devices, such as one that
 * tracks dirty pages.
 */
public final class IommuHwptAlloc {
    private static final Struct.Builder C = Struct.named("iommu_hwpt_alloc");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code flags}: {@code IOMMU_HWPT_ALLOC_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code dev_id}: the device that it must suit. */
    public static final Struct.U32 DEV_ID = C.u32("dev_id");

    /** {@code pt_id}: the address space, or the page table below it, that it translates by. */
    public static final Struct.U32 PT_ID = C.u32("pt_id");

    /** {@code out_hwpt_id}: receives its id. */
    public static final Struct.U32 OUT_HWPT_ID = C.u32("out_hwpt_id");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** {@code data_type}: {@code IOMMU_HWPT_DATA_NONE}. */
    public static final Struct.U32 DATA_TYPE = C.u32("data_type");

    /** {@code data_len}: the length of the data in bytes, 0 for none. */
    public static final Struct.U32 DATA_LEN = C.u32("data_len");

    /** {@code data_uptr}: the address of the data, 0 for none. */
    public static final Struct.U64 DATA_UPTR = C.u64("data_uptr");

    /** {@code fault_id}: the fault queue, with {@code IOMMU_HWPT_FAULT_ID_VALID}; after 6.10. */
    public static final Struct.U32 FAULT_ID = C.u32("fault_id");

    /** {@code __reserved2}: 0. */
    public static final Struct.U32 RESERVED2 = C.u32("__reserved2");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    /** The length that every kernel with dirty tracking knows: up to {@code data_uptr}. */
    public static final int SIZE_WITHOUT_FAULT_ID = (int) FAULT_ID.offset();

    private IommuHwptAlloc() {}
}
