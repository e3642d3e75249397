// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_pci_hot_reset_info} of {@code linux/vfio.h}: which devices a hot reset would reset. */
public final class VfioPciHotResetInfo {
    private static final Struct.Builder C = Struct.named("vfio_pci_hot_reset_info");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: {@code VFIO_PCI_HOT_RESET_FLAG_*}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code count}: how many devices; when {@code argsz} is too short for them the call fails with {@code ENOSPC}. */
    public static final Struct.U32 COUNT = C.u32("count");

    /** {@code devices}: the devices, an array of {@link VfioPciDependentDevice}. */
    public static final Struct.Bytes DEVICES = C.flexible("devices", 4);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioPciHotResetInfo() {}
}
