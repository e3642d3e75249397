// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_region_info_cap_type} of {@code linux/vfio.h}: the capability that says what a
 * device-specific region is.
 */
public final class VfioRegionInfoCapType {
    private static final Struct.Builder C = Struct.named("vfio_region_info_cap_type");

    /** {@code header}: the head, with id {@code VFIO_REGION_INFO_CAP_TYPE}. */
    public static final Struct.Bytes HEADER = C.nested("header", VfioInfoCapHeader.STRUCT);

    /** {@code type}: the kind of region, such as {@code VFIO_REGION_TYPE_MIGRATION_DEPRECATED}. */
    public static final Struct.U32 TYPE = C.u32("type");

    /** {@code subtype}: its kind within the type. */
    public static final Struct.U32 SUBTYPE = C.u32("subtype");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioRegionInfoCapType() {}
}
