// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct vfio_pci_hot_reset} of {@code linux/vfio.h}: resets all devices that share a bus or slot. */
public final class VfioPciHotReset {
    private static final Struct.Builder C = Struct.named("vfio_pci_hot_reset");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code count}: how many groups; 0 for devices opened as cdevs. */
    public static final Struct.U32 COUNT = C.u32("count");

    /** {@code group_fds}: the fds of the groups, to prove that all of them are the caller's. */
    public static final Struct.Bytes GROUP_FDS = C.flexible("group_fds", 4);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioPciHotReset() {}
}
