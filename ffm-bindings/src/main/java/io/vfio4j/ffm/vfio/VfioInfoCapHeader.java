// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_info_cap_header} of {@code linux/vfio.h}: the head of a capability of an info ioctl.
 * {@link VfioCapabilityChain} walks them.
 */
public final class VfioInfoCapHeader {
    private static final Struct.Builder C = Struct.named("vfio_info_cap_header");

    /** {@code id}: which capability, of the info's own numbering. */
    public static final Struct.U16 ID = C.u16("id");

    /** {@code version}: the version of its layout. */
    public static final Struct.U16 VERSION = C.u16("version");

    /** {@code next}: where the next one begins, from the begin of the info; 0 at the end. */
    public static final Struct.U32 NEXT = C.u32("next");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioInfoCapHeader() {}
}
