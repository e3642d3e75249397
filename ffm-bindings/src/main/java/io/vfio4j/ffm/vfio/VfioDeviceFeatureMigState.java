// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_mig_state} of {@code linux/vfio.h}: the migration state, and the data_fd of
 * a session that an arc has opened.
 */
public final class VfioDeviceFeatureMigState {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_mig_state");

    /** {@code device_state}: {@code VFIO_DEVICE_STATE_*}. */
    public static final Struct.U32 DEVICE_STATE = C.u32("device_state");

    /** {@code data_fd}: the new session's fd, owned by the caller; -1 where none was opened. */
    public static final Struct.S32 DATA_FD = C.s32("data_fd");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureMigState() {}
}
