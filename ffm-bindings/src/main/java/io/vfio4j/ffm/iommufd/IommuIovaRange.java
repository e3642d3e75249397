// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.iommufd;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct iommu_iova_range} of {@code linux/iommufd.h}: a range of I/O addresses, its end included. */
public final class IommuIovaRange {
    private static final Struct.Builder C = Struct.named("iommu_iova_range");

    /** {@code start}: the first address for the device. */
    public static final Struct.U64 START = C.u64("start");

    /** {@code last}: the last one. */
    public static final Struct.U64 LAST = C.u64("last");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private IommuIovaRange() {}
}
