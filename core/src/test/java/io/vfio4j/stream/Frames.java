// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import java.nio.ByteBuffer;
import java.util.Objects;

/** Encodes and decodes frames as arrays of bytes. */
final class Frames implements AutoCloseable {
    private final BufferPool pool;
    private final PooledBuffer buffer;

    Frames(int capacity) {
        pool = new BufferPool(LibC.system(), 1, capacity, false);
        buffer = Objects.requireNonNull(pool.tryAcquire());
    }

    byte[] encode(FrameEncoder encoder, FrameKind kind, Message message) {
        return bytes(encoder.encode(buffer, kind, message));
    }

    byte[] encodeData(FrameEncoder encoder, byte[] payload) {
        buffer.length(payload.length);
        buffer.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + payload.length)
                .put(payload);
        return bytes(encoder.encode(buffer, FrameKind.DATA));
    }

    byte[] encodePages(FrameEncoder encoder, PageTable.Writer writer, long pageBytes, Runnable runs) {
        writer.begin(buffer);
        runs.run();
        buffer.length(writer.length());
        return bytes(encoder.encodePages(buffer, pageBytes));
    }

    void countPages(FrameDecoder decoder, long bytes) {
        decoder.countPages(buffer, bytes);
    }

    /** Decodes one whole frame; a frame cut short leaves what the buffer had held before, as a stalled read does. */
    FrameKind decode(FrameDecoder decoder, byte[] frame) throws StreamException {
        ByteBuffer header = decoder.headerOf(buffer);
        header.put(frame, 0, Math.min(header.remaining(), frame.length));
        FrameKind kind = decoder.decodeHeader(buffer);
        ByteBuffer payload = decoder.payloadOf(buffer);
        payload.put(frame, Frame.HEADER_BYTES, Math.min(payload.remaining(), frame.length - Frame.HEADER_BYTES));
        decoder.verifyPayload(buffer, kind);
        return kind;
    }

    ByteBuffer payload(FrameDecoder decoder) {
        return decoder.payloadOf(buffer);
    }

    private static byte[] bytes(ByteBuffer view) {
        byte[] bytes = new byte[view.remaining()];
        view.get(bytes);
        return bytes;
    }

    @Override
    public void close() {
        pool.release(buffer);
        pool.close();
    }
}
