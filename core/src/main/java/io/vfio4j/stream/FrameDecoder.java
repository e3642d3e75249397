// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.StreamException.Problem;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * Checks the frames of one connection: magic, version, checksums, sequence, limits, totals.
 *
 * <p>The input is not trusted: nothing is allocated by what it says, and no payload is handed on before its checksum
 * was found right. One thread at a time. Allocates nothing.
 */
public final class FrameDecoder {
    private final int firstStream;
    private final CRC32C crc = new CRC32C();
    private final long[] expectedSequence;
    private final long[] dataFrames;
    private final long[] dataBytes;

    /**
     * Makes the decoder of one connection that carries one stream.
     *
     * @param stream {@link Frame#CONTROL_STREAM}, or a handler's number, 1 to 65,535
     */
    public FrameDecoder(int stream) {
        this(stream, 1);
    }

    /**
     * Makes the decoder of a file or a connection that carries several streams, each in an order of its own.
     *
     * @param firstStream the lowest number of a stream
     * @param streams how many there are; their numbers follow each other
     */
    public FrameDecoder(int firstStream, int streams) {
        this.firstStream = firstStream;
        this.expectedSequence = new long[streams];
        this.dataFrames = new long[streams];
        this.dataBytes = new long[streams];
    }

    /**
     * Returns the part of a buffer that a header is to be read into.
     *
     * @param buffer the buffer
     * @return its view, set to {@link Frame#HEADER_BYTES} bytes before the payload
     */
    public ByteBuffer headerOf(PooledBuffer buffer) {
        return buffer.view(Frame.HEADER_OFFSET, PooledBuffer.HEAD_ROOM);
    }

    /**
     * Returns the part of a buffer that the payload is to be read into, once the header was checked.
     *
     * @param buffer the buffer
     * @return its view, set to as many bytes as the header says
     */
    public ByteBuffer payloadOf(PooledBuffer buffer) {
        return buffer.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + buffer.length());
    }

    /**
     * Checks a header and sets the buffer's length to its payload's.
     *
     * @param buffer the buffer with a header in it
     * @return what the frame carries
     * @throws StreamException for a header that is not vfio4j's, of another version, damaged, out of order, of another
     *     stream, or whose payload is beyond the limit or the buffer
     */
    public FrameKind decodeHeader(PooledBuffer buffer) throws StreamException {
        ByteBuffer view = headerOf(buffer);
        if (view.getInt(Frame.HEADER_OFFSET) != Frame.MAGIC) {
            throw new StreamException(Problem.NOT_VFIO4J, "this is no stream of vfio4j");
        }
        int version = Byte.toUnsignedInt(view.get(Frame.VERSION_AT));
        if (version != Frame.VERSION) {
            throw new StreamException(
                    Problem.OTHER_VERSION,
                    "the stream has version " + version + ", this vfio4j speaks version " + Frame.VERSION);
        }
        view.limit(Frame.HEADER_CRC_AT);
        crc.reset();
        crc.update(view);
        view.limit(PooledBuffer.HEAD_ROOM);
        if ((int) crc.getValue() != view.getInt(Frame.HEADER_CRC_AT)) {
            throw new StreamException(Problem.DAMAGED, "the header of frame " + expectedFrames() + " is damaged");
        }
        int stream = Frame.streamOf(buffer);
        int index = stream - firstStream;
        if (index < 0 || index >= expectedSequence.length) {
            throw new StreamException(Problem.UNEXPECTED, "a frame of stream " + stream + " came in " + streams());
        }
        long sequence = view.getLong(Frame.SEQUENCE_AT);
        if (sequence != expectedSequence[index]) {
            throw new StreamException(
                    Problem.DAMAGED,
                    "frame " + expectedSequence[index] + " is missing: frame " + sequence + " came instead");
        }
        FrameKind kind = Frame.kindOf(buffer);
        int length = view.getInt(Frame.LENGTH_AT);
        int limit = Math.min(kind == FrameKind.DATA ? Frame.MAX_PAYLOAD : Frame.MAX_MESSAGE, buffer.capacity());
        if (length < 0 || length > limit) {
            throw new StreamException(
                    Problem.UNEXPECTED,
                    "a " + kind + " frame of " + Integer.toUnsignedString(length) + " bytes; the limit is " + limit);
        }
        buffer.length(length);
        return kind;
    }

    /**
     * Checks a payload against its header and counts the frame.
     *
     * @param buffer the buffer with header and payload in it
     * @param kind what {@link #decodeHeader} returned
     * @throws StreamException for a damaged payload
     */
    public void verifyPayload(PooledBuffer buffer, FrameKind kind) throws StreamException {
        ByteBuffer view = payloadOf(buffer);
        int index = Frame.streamOf(buffer) - firstStream;
        crc.reset();
        crc.update(view);
        if ((int) crc.getValue() != view.getInt(Frame.PAYLOAD_CRC_AT)) {
            throw new StreamException(
                    Problem.DAMAGED, "the payload of frame " + expectedSequence[index] + " is damaged");
        }
        expectedSequence[index]++;
        if (kind == FrameKind.DATA || kind == FrameKind.PAGES) {
            dataFrames[index]++;
        }
        if (kind == FrameKind.DATA) {
            dataBytes[index] += buffer.length();
        }
    }

    /**
     * Counts the pages that have come behind a frame.
     *
     * @param table the buffer with the frame in it, a checked one of kind {@link FrameKind#PAGES}
     * @param bytes how many bytes they were
     */
    public void countPages(PooledBuffer table, long bytes) {
        dataBytes[Frame.streamOf(table) - firstStream] += bytes;
    }

    /**
     * Checks the totals that END carries against what has come in its stream.
     *
     * @param stream the stream
     * @param end the source's totals
     * @throws StreamException where they differ
     */
    public void verifyTotals(int stream, Message.End end) throws StreamException {
        long frames = dataFrames[stream - firstStream];
        long bytes = dataBytes[stream - firstStream];
        if (end.dataFrames() != frames || end.dataBytes() != bytes) {
            throw new StreamException(
                    Problem.DAMAGED,
                    "the source sent " + end.dataBytes() + " bytes in " + end.dataFrames() + " frames, but " + bytes
                            + " bytes in " + frames + " frames came");
        }
    }

    /** The number of the next frame: of one stream, or of one after the other. */
    private String expectedFrames() {
        return expectedSequence.length == 1 ? Long.toString(expectedSequence[0]) : "one of several streams";
    }

    private String streams() {
        int last = firstStream + expectedSequence.length - 1;
        return last == firstStream ? "stream " + firstStream : "streams " + firstStream + " to " + last;
    }
}
