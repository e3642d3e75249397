// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;

/**
 * Where a {@link SmallState} writes its fields: each has a number, and may be one that a reader can do without.
 *
 * <p>A reader that does not know a required field refuses the state; it passes over an optional one. Numbers are 0 to
 * 65,535, and each is written once. For one thread, within {@link SmallState#save}.
 */
public final class FieldWriter {
    /** How many bytes a field takes beside its value. */
    public static final int FIELD_BYTES = 2 + 2 + 4;

    static final int MAX_NUMBER = 0xFFFF;
    static final short REQUIRED = 1;
    private static final int FIRST_CAPACITY = 512;

    private final String state;
    private final int maxBytes;
    private final BitSet written = new BitSet();
    private ByteBuffer fields = ByteBuffer.allocate(FIRST_CAPACITY).order(ByteOrder.LITTLE_ENDIAN);

    FieldWriter(String state, int maxBytes) {
        this.state = state;
        this.maxBytes = maxBytes;
    }

    /** What has been written, from position 0 on. */
    ByteBuffer written() {
        return fields.duplicate().order(ByteOrder.LITTLE_ENDIAN).flip();
    }

    /**
     * Writes a number that every reader has to know.
     *
     * @param number the field's
     * @param value 8 bytes
     * @return this
     * @throws IOException when the number was written before or is out of range, or all would be too long
     */
    public FieldWriter required(int number, long value) throws IOException {
        header(number, REQUIRED, Long.BYTES).putLong(value);
        return this;
    }

    /**
     * Writes bytes that every reader has to know.
     *
     * @param number the field's
     * @param value any length, none too
     * @return this
     * @throws IOException as {@link #required(int, long)}
     */
    public FieldWriter required(int number, byte[] value) throws IOException {
        header(number, REQUIRED, value.length).put(value);
        return this;
    }

    /**
     * Writes memory that every reader has to know, such as a struct of the kernel's.
     *
     * @param number the field's
     * @param value any length, none too
     * @return this
     * @throws IOException as {@link #required(int, long)}
     */
    public FieldWriter required(int number, MemorySegment value) throws IOException {
        copy(header(number, REQUIRED, value.byteSize()), value);
        return this;
    }

    /**
     * Writes a number that a reader can do without.
     *
     * @param number the field's
     * @param value 8 bytes
     * @return this
     * @throws IOException as {@link #required(int, long)}
     */
    public FieldWriter optional(int number, long value) throws IOException {
        header(number, (short) 0, Long.BYTES).putLong(value);
        return this;
    }

    /**
     * Writes bytes that a reader can do without.
     *
     * @param number the field's
     * @param value any length, none too
     * @return this
     * @throws IOException as {@link #required(int, long)}
     */
    public FieldWriter optional(int number, byte[] value) throws IOException {
        header(number, (short) 0, value.length).put(value);
        return this;
    }

    /**
     * Writes memory that a reader can do without.
     *
     * @param number the field's
     * @param value any length, none too
     * @return this
     * @throws IOException as {@link #required(int, long)}
     */
    public FieldWriter optional(int number, MemorySegment value) throws IOException {
        copy(header(number, (short) 0, value.byteSize()), value);
        return this;
    }

    private static void copy(ByteBuffer to, MemorySegment value) {
        int length = (int) value.byteSize();
        MemorySegment.ofBuffer(to).copyFrom(value);
        to.position(to.position() + length);
    }

    private ByteBuffer header(int number, short flags, long length) throws IOException {
        if (number < 0 || number > MAX_NUMBER) {
            throw refusal("field " + number + ": a number is 0 to " + MAX_NUMBER);
        }
        if (written.get(number)) {
            throw refusal("field " + number + " is written twice");
        }
        long end = fields.position() + FIELD_BYTES + length;
        if (end > maxBytes) {
            throw refusal("with field " + number + " it is " + end + " bytes long; its maxBytes() is " + maxBytes);
        }
        written.set(number);
        if (end > fields.capacity()) {
            int capacity = (int) Math.min(maxBytes, Math.max(end, 2L * fields.capacity()));
            fields =
                    ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN).put(fields.flip());
        }
        return fields.putShort((short) number).putShort(flags).putInt((int) length);
    }

    private IOException refusal(String why) {
        return new IOException(state + ": " + why);
    }
}
