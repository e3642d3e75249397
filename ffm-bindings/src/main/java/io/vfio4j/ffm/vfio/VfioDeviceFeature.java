// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.vfio;

import io.vfio4j.ffm.Struct;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * Mirrors {@code struct vfio_device_feature} of {@code linux/vfio.h}: the head of every VFIO_DEVICE_FEATURE call; the
 * payload follows.
 */
public final class VfioDeviceFeature {
    private static final Struct.Builder C = Struct.named("vfio_device_feature");

    /** {@code argsz}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U32 ARGSZ = C.u32("argsz");

    /** {@code flags}: the feature's number with {@code VFIO_DEVICE_FEATURE_GET}, {@code _SET}, {@code _PROBE}. */
    public static final Struct.U32 FLAGS = C.u32("flags");

    /** {@code data}: the payload. */
    public static final Struct.Bytes DATA = C.flexible("data", 1);

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private VfioDeviceFeature() {}

    /**
     * Allocates the argument of one call: head and payload in one 8-aligned piece, zero but for {@code argsz} and
     * {@code flags}.
     *
     * @param allocator where from
     * @param flags the feature's number with {@code VFIO_DEVICE_FEATURE_GET}, {@code _SET}, {@code _PROBE}
     * @param payloadSize how long the payload at {@link #DATA} is, in bytes; 0 for none
     * @return the argument
     */
    public static MemorySegment allocate(SegmentAllocator allocator, int flags, long payloadSize) {
        long size = STRUCT.size() + payloadSize;
        MemorySegment argument = allocator.allocate(size, Long.BYTES).fill((byte) 0);
        ARGSZ.set(argument, (int) size);
        FLAGS.set(argument, flags);
        return argument;
    }
}
