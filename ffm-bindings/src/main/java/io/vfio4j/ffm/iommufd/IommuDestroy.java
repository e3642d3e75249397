// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct iommu_destroy} of {@code linux/iommufd.h}: destroys an object of an iommufd. */
public final class IommuDestroy {
    private static final Struct.Builder C = Struct.named("iommu_destroy");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 SIZE = C.u32("size");

    /** {@code id}: the object's id. */
    public static final Struct.U32 ID = C.u32("id");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuDestroy() {}
}
