// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct vfio_device_feature_zpci_err} of {@code linux/vfio.h}: an error of an s390 PCI device. After
 * 7.2.
 */
public final class VfioDeviceFeatureZpciErr {
    private static final Struct.Builder C = Struct.named("vfio_device_feature_zpci_err");

    /** {@code data}: the error. */
    public static final Struct.U64 DATA = C.u64("data");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeatureZpciErr() {}
}
