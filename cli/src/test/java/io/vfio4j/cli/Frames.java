// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameEncoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Makes the frames that a peer would send. */
final class Frames {
    private static final int VERSION_AT = 4;

    private Frames() {}

    static byte[] hello(String deviceType, String driver, long features) {
        return frame(
                FrameKind.HELLO,
                new Message.Hello(
                        new UUID(1, 2),
                        1 << 20,
                        List.of(new Message.Offer(
                                "device0",
                                "vfio",
                                1,
                                Map.of("type", deviceType, "driver", driver, "features", Long.toString(features))))));
    }

    /** The header of a first frame of a version that does not exist yet. What follows it, only that version knows. */
    static byte[] ofOtherVersion() {
        byte[] frame = Arrays.copyOf(hello("any", "any", 1), Frame.HEADER_BYTES);
        frame[VERSION_AT] = 99;
        return frame;
    }

    static byte[] frame(FrameKind kind, Message message) {
        try (BufferPool pool = new BufferPool(LibC.system(), 1, Frame.MAX_MESSAGE, false)) {
            PooledBuffer buffer = pool.tryAcquire();
            if (buffer == null) {
                throw new AssertionError("a new pool has no free buffer");
            }
            ByteBuffer view = new FrameEncoder(Frame.CONTROL_STREAM).encode(buffer, kind, message);
            byte[] frame = new byte[view.remaining()];
            view.get(frame);
            pool.release(buffer);
            return frame;
        }
    }
}
