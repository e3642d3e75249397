// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_mig_data_size} of {@code linux/vfio.h}: how much a stop-copy would
 * transfer.
 */
public final class VfioDeviceFeatureMigDataSize {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_mig_data_size");

    /** {@code stop_copy_length}: an estimate, in bytes. */
    public static final Struct.U64 STOP_COPY_LENGTH = C.u64("stop_copy_length");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureMigDataSize() {}
}
