// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import io.vfio4j.buffer.PooledBuffer;

/**
 * The layout of a frame: a header of 32 bytes, then the payload. All numbers are little-endian.
 *
 * <pre>
 *   0       1       2       3       4       5       6       7
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  | magic  56 46 34 4A  "VF4J"    |version| kind  |    stream     |  0
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  |        payload length         |    CRC32C of the payload      |  8
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  |                        sequence number                        | 16
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 *  |        reserved, zero         | CRC32C of bytes 0 to 27       | 24
 *  +-------+-------+-------+-------+-------+-------+-------+-------+
 * </pre>
 */
public final class Frame {
    /** The first four bytes, as a little-endian number: {@code "VF4J"}. */
    public static final int MAGIC = 0x4A344656;

    /** The version of the format that this code writes, and the only one that it reads. */
    public static final int VERSION = 3;

    /** How long a header is, in bytes. */
    public static final int HEADER_BYTES = 32;

    /** How long a payload can be in any stream, in bytes. */
    public static final int MAX_PAYLOAD = 64 << 20;

    /** How long the payload of any kind but DATA can be, in bytes. */
    public static final int MAX_MESSAGE = 64 << 10;

    /** The stream number of the control connection; handlers have 1 and up, in the order of HELLO. */
    public static final int CONTROL_STREAM = 0;

    /** Where a header lies in a buffer: right before the payload. */
    static final int HEADER_OFFSET = PooledBuffer.HEAD_ROOM - HEADER_BYTES;

    static final int VERSION_AT = HEADER_OFFSET + 4;
    static final int KIND_AT = HEADER_OFFSET + 5;
    static final int STREAM_AT = HEADER_OFFSET + 6;
    static final int LENGTH_AT = HEADER_OFFSET + 8;
    static final int PAYLOAD_CRC_AT = HEADER_OFFSET + 12;
    static final int SEQUENCE_AT = HEADER_OFFSET + 16;
    static final int RESERVED_AT = HEADER_OFFSET + 24;
    static final int HEADER_CRC_AT = HEADER_OFFSET + 28;

    private Frame() {}

    /**
     * Returns the stream that a frame belongs to.
     *
     * @param buffer a buffer whose header was checked
     * @return the stream's number
     */
    public static int streamOf(PooledBuffer buffer) {
        return Short.toUnsignedInt(buffer.view().getShort(STREAM_AT));
    }

    /**
     * Returns what a frame carries.
     *
     * @param buffer a buffer whose header was checked
     * @return the kind
     * @throws StreamException for a kind that does not exist
     */
    public static FrameKind kindOf(PooledBuffer buffer) throws StreamException {
        return FrameKind.of(buffer.view().get(KIND_AT));
    }
}
