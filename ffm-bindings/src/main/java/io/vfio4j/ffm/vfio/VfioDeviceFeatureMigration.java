// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_migration} of {@code linux/vfio.h}: which parts of the migration protocol a
 * device has.
 */
public final class VfioDeviceFeatureMigration {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_migration");

    /** {@code flags}: {@code VFIO_MIGRATION_*}. */
    public static final Struct.U64 FLAGS = C.u64("flags");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureMigration() {}
}
