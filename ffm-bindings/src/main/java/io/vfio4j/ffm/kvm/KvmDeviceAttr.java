// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct kvm_device_attr} of {@code linux/kvm.h}: an attribute of a device, or of a VM. */
public final class KvmDeviceAttr {
    private static final Struct.Builder C = Struct.named("kvm_device_attr");

    /** {@code flags}: 0. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code group}: the attribute's group. */
    public static final Struct.U32 GROUP = C.u32("group");

    /** {@code attr}: which attribute of the group. */
    public static final Struct.U64 ATTR = C.u64("attr");

    /** {@code addr}: the address of its value, where it has one. */
    public static final Struct.U64 ADDR = C.u64("addr");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private KvmDeviceAttr() {}
}
