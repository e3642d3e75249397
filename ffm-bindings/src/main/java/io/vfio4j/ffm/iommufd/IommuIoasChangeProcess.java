// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct iommu_ioas_change_process} of {@code linux/iommufd.h}: makes the mappings of files the calling
 * process's own, after a live update. After 6.12.
 */
public final class IommuIoasChangeProcess {
    private static final Struct.Builder C = Struct.named("iommu_ioas_change_process");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code __reserved}: 0. */
    public static final Struct.U32 RESERVED = C.u32("__reserved");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIoasChangeProcess() {}
}
