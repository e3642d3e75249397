// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The fields of a {@link SmallState} that came from a source, which is not trusted.
 *
 * <p>For one thread, within {@link SmallState#load}. Whoever reads them has to read all that are required.
 */
public final class FieldReader {
    private final String state;
    private final int version;
    private final Map<Integer, Field> fields = new TreeMap<>();

    private static final class Field {
        private final boolean required;
        private final ByteBuffer value;
        private boolean read;

        Field(boolean required, ByteBuffer value) {
            this.required = required;
            this.value = value;
        }
    }

    FieldReader(String state, int version, ByteBuffer from) throws IOException {
        this.state = state;
        this.version = version;
        while (from.hasRemaining()) {
            if (from.remaining() < FieldWriter.FIELD_BYTES) {
                throw refusal("it ends within a field");
            }
            int number = Short.toUnsignedInt(from.getShort());
            short flags = from.getShort();
            int length = from.getInt();
            if (length < 0 || length > from.remaining()) {
                throw refusal("field " + number + " has " + Integer.toUnsignedString(length) + " bytes, of which "
                        + from.remaining() + " came");
            }
            if ((flags & ~FieldWriter.REQUIRED) != 0) {
                throw refusal("field " + number + " has flags that are not known here");
            }
            ByteBuffer value = from.slice(from.position(), length).order(ByteOrder.LITTLE_ENDIAN);
            if (fields.put(number, new Field((flags & FieldWriter.REQUIRED) != 0, value)) != null) {
                throw refusal("field " + number + " came twice");
            }
            from.position(from.position() + length);
        }
    }

    /**
     * Returns the version that the source has written.
     *
     * @return {@link SmallState#oldestVersion} to {@link SmallState#version}
     */
    public int version() {
        return version;
    }

    /**
     * Tells whether a field came. That does not count as reading it.
     *
     * @param number the field's
     * @return false when the source has not written it
     */
    public boolean has(int number) {
        return fields.containsKey(number);
    }

    /**
     * Reads a number.
     *
     * @param number the field's
     * @return its value
     * @throws IOException when it is missing, or is no number of 8 bytes
     */
    public long number(int number) throws IOException {
        return value(number, Long.BYTES).getLong();
    }

    /**
     * Reads a number that an older source may not have written.
     *
     * @param number the field's
     * @param missing what it is then
     * @return its value
     * @throws IOException when it is no number of 8 bytes
     */
    public long number(int number, long missing) throws IOException {
        return has(number) ? number(number) : missing;
    }

    /**
     * Reads bytes.
     *
     * @param number the field's
     * @return a copy
     * @throws IOException when it is missing
     */
    public byte[] bytes(int number) throws IOException {
        ByteBuffer value = value(number);
        byte[] bytes = new byte[value.remaining()];
        value.get(bytes);
        return bytes;
    }

    /**
     * Reads memory of a known length, such as a struct of the kernel's.
     *
     * @param number the field's
     * @param into where to; all of it
     * @throws IOException when it is missing or has another length; nothing was copied then
     */
    public void memory(int number, MemorySegment into) throws IOException {
        ByteBuffer value = value(number, into.byteSize());
        MemorySegment.copy(
                MemorySegment.ofBuffer(value),
                ValueLayout.JAVA_BYTE,
                0,
                into,
                ValueLayout.JAVA_BYTE,
                0,
                into.byteSize());
    }

    private ByteBuffer value(int number, long length) throws IOException {
        ByteBuffer value = value(number);
        if (value.remaining() != length) {
            throw refusal("field " + number + " has " + value.remaining() + " bytes, where " + length + " were due");
        }
        return value;
    }

    private ByteBuffer value(int number) throws IOException {
        Field field = fields.get(number);
        if (field == null) {
            throw refusal("field " + number + " is missing");
        }
        field.read = true;
        return field.value.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Refuses a state of which something was not read that a reader has to know. */
    void requireAllRead() throws IOException {
        String unknown = fields.entrySet().stream()
                .filter(field -> field.getValue().required && !field.getValue().read)
                .map(field -> field.getKey().toString())
                .collect(Collectors.joining(", "));
        if (!unknown.isEmpty()) {
            throw refusal("the source requires that field " + unknown
                    + " is known, and it is not known here; use a monitor here that is as new as the source's");
        }
    }

    private IOException refusal(String why) {
        return new IOException(state + ": " + why);
    }
}
