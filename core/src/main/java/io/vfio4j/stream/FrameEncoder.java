// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import io.vfio4j.buffer.PooledBuffer;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * Puts the header before a buffer's payload, with the next sequence number of its connection.
 *
 * <p>One thread at a time. Allocates nothing.
 */
public final class FrameEncoder {
    private final int stream;
    private final CRC32C crc = new CRC32C();
    private long sequence;
    private long dataFrames;
    private long dataBytes;

    /**
     * Makes the encoder of one connection.
     *
     * @param stream {@link Frame#CONTROL_STREAM}, or a handler's number, 1 to 65,535
     */
    public FrameEncoder(int stream) {
        this.stream = stream;
    }

    /**
     * Makes a frame of a buffer.
     *
     * @param buffer its payload is the frame's; its head-room receives the header
     * @param kind what it carries
     * @return the buffer's view, set to header and payload, ready to be written
     */
    public ByteBuffer encode(PooledBuffer buffer, FrameKind kind) {
        int end = PooledBuffer.HEAD_ROOM + buffer.length();
        ByteBuffer view = buffer.view(PooledBuffer.HEAD_ROOM, end);
        crc.reset();
        crc.update(view);
        view.putInt(Frame.HEADER_OFFSET, Frame.MAGIC)
                .put(Frame.VERSION_AT, (byte) Frame.VERSION)
                .put(Frame.KIND_AT, (byte) kind.code())
                .putShort(Frame.STREAM_AT, (short) stream)
                .putInt(Frame.LENGTH_AT, buffer.length())
                .putInt(Frame.PAYLOAD_CRC_AT, (int) crc.getValue())
                .putLong(Frame.SEQUENCE_AT, sequence++)
                .putInt(Frame.RESERVED_AT, 0);
        buffer.view(Frame.HEADER_OFFSET, Frame.HEADER_CRC_AT);
        crc.reset();
        crc.update(view);
        buffer.view(Frame.HEADER_OFFSET, end).putInt(Frame.HEADER_CRC_AT, (int) crc.getValue());
        if (kind == FrameKind.DATA) {
            dataFrames++;
            dataBytes += buffer.length();
        }
        return view;
    }

    /**
     * Makes a frame of a table of pages.
     *
     * @param table its payload is the table
     * @param pageBytes how many bytes of pages follow the frame
     * @return the buffer's view, ready to be written before the pages
     */
    public ByteBuffer encodePages(PooledBuffer table, long pageBytes) {
        dataFrames++;
        dataBytes += pageBytes;
        return encode(table, FrameKind.PAGES);
    }

    /**
     * Makes a frame of a message, in a buffer that is free for it.
     *
     * @param buffer where to; its capacity is at least {@link Frame#MAX_MESSAGE}
     * @param kind what it carries
     * @param message its payload
     * @return the buffer's view, ready to be written
     */
    public ByteBuffer encode(PooledBuffer buffer, FrameKind kind, Message message) {
        ByteBuffer view = buffer.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + Frame.MAX_MESSAGE);
        message.writeTo(view);
        buffer.length(view.position() - PooledBuffer.HEAD_ROOM);
        return encode(buffer, kind);
    }

    /**
     * Returns what has been encoded so far.
     *
     * @return the totals that END carries
     */
    public Message.End totals() {
        return new Message.End(dataFrames, dataBytes);
    }
}
