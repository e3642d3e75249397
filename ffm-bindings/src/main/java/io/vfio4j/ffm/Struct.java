// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * The layout of one C struct: its name, size, alignment and fields, as the LP64 ABI lays them out.
 *
 * <p>A class that mirrors a struct declares its fields in C order through a {@link Builder}; each field is a constant
 * that reads and writes its place in a {@link MemorySegment}. Values are in native byte order. Immutable, for any
 * thread.
 *
 * @param name the C name, such as {@code vfio_device_info}
 * @param size {@code sizeof}, in bytes
 * @param alignment {@code _Alignof}, in bytes
 * @param fields the fields in C order
 */
public record Struct(String name, long size, long alignment, List<Field> fields) {

    private static final VarHandle SHARED_INT = JAVA_INT.varHandle().withInvokeExactBehavior();

    /** A field of a C struct. */
    public sealed interface Field permits U8, U16, U32, S32, U64, Bytes {
        /**
         * Returns the C name.
         *
         * @return the name, such as {@code argsz}
         */
        String name();

        /**
         * Returns the distance from the struct's begin.
         *
         * @return {@code offsetof}, in bytes
         */
        long offset();

        /**
         * Returns the length of the field.
         *
         * @return {@code sizeof}, in bytes; 0 for a flexible array
         */
        long size();
    }

    /**
     * An unsigned 8-bit field.
     *
     * @param name the C name
     * @param offset the offset in bytes
     */
    public record U8(String name, long offset) implements Field {
        /**
         * Reads the field.
         *
         * @param struct the struct
         * @return the value, 0 to 255
         */
        public int get(MemorySegment struct) {
            return Byte.toUnsignedInt(struct.get(JAVA_BYTE, offset));
        }

        /**
         * Writes the field.
         *
         * @param struct the struct
         * @param value the value; the low 8 bits are stored
         */
        public void set(MemorySegment struct, int value) {
            struct.set(JAVA_BYTE, offset, (byte) value);
        }

        @Override
        public long size() {
            return 1;
        }
    }

    /**
     * An unsigned 16-bit field.
     *
     * @param name the C name
     * @param offset the offset in bytes
     */
    public record U16(String name, long offset) implements Field {
        /**
         * Reads the field.
         *
         * @param struct the struct
         * @return the value, 0 to 65,535
         */
        public int get(MemorySegment struct) {
            return Short.toUnsignedInt(struct.get(JAVA_SHORT, offset));
        }

        /**
         * Writes the field.
         *
         * @param struct the struct
         * @param value the value; the low 16 bits are stored
         */
        public void set(MemorySegment struct, int value) {
            struct.set(JAVA_SHORT, offset, (short) value);
        }

        @Override
        public long size() {
            return 2;
        }
    }

    /**
     * An unsigned 32-bit field, as the {@code int} with the same bits.
     *
     * @param name the C name
     * @param offset the offset in bytes
     */
    public record U32(String name, long offset) implements Field {
        /**
         * Reads the field.
         *
         * @param struct the struct
         * @return the 32 bits
         */
        public int get(MemorySegment struct) {
            return struct.get(JAVA_INT, offset);
        }

        /**
         * Writes the field.
         *
         * @param struct the struct
         * @param value the 32 bits
         */
        public void set(MemorySegment struct, int value) {
            struct.set(JAVA_INT, offset, value);
        }

        /**
         * Reads the field before all that the program reads thereafter (acquire).
         *
         * @param struct the struct
         * @return the 32 bits
         */
        public int getAcquire(MemorySegment struct) {
            return (int) SHARED_INT.getAcquire(struct, offset);
        }

        /**
         * Writes the field after all that the program has read and written so far (release).
         *
         * @param struct the struct
         * @param value the 32 bits
         */
        public void setRelease(MemorySegment struct, int value) {
            SHARED_INT.setRelease(struct, offset, value);
        }

        @Override
        public long size() {
            return 4;
        }
    }

    /**
     * A signed 32-bit field, such as a file descriptor.
     *
     * @param name the C name
     * @param offset the offset in bytes
     */
    public record S32(String name, long offset) implements Field {
        /**
         * Reads the field.
         *
         * @param struct the struct
         * @return the value
         */
        public int get(MemorySegment struct) {
            return struct.get(JAVA_INT, offset);
        }

        /**
         * Writes the field.
         *
         * @param struct the struct
         * @param value the value
         */
        public void set(MemorySegment struct, int value) {
            struct.set(JAVA_INT, offset, value);
        }

        @Override
        public long size() {
            return 4;
        }
    }

    /**
     * An unsigned 64-bit field, as the {@code long} with the same bits.
     *
     * @param name the C name
     * @param offset the offset in bytes
     */
    public record U64(String name, long offset) implements Field {
        /**
         * Reads the field.
         *
         * @param struct the struct
         * @return the 64 bits
         */
        public long get(MemorySegment struct) {
            return struct.get(JAVA_LONG, offset);
        }

        /**
         * Writes the field.
         *
         * @param struct the struct
         * @param value the 64 bits
         */
        public void set(MemorySegment struct, long value) {
            struct.set(JAVA_LONG, offset, value);
        }

        @Override
        public long size() {
            return 8;
        }
    }

    /**
     * A nested struct, an array, or the flexible array at the end of a struct.
     *
     * @param name the C name
     * @param offset the offset in bytes
     * @param size the length in bytes; 0 for a flexible array
     */
    public record Bytes(String name, long offset, long size) implements Field {
        /**
         * Returns the part of a segment that this field takes; a flexible array takes all that is left.
         *
         * @param struct the struct
         * @return the slice
         */
        public MemorySegment of(MemorySegment struct) {
            return size == 0 ? struct.asSlice(offset) : struct.asSlice(offset, size);
        }
    }

    /**
     * Begins the description of a struct.
     *
     * @param name the C name
     * @return the builder
     */
    public static Builder named(String name) {
        return new Builder(name);
    }

    /**
     * Allocates a zeroed struct.
     *
     * @param allocator where from; its lifetime is the struct's
     * @return the segment, {@link #size()} bytes
     */
    public MemorySegment allocate(SegmentAllocator allocator) {
        return allocator.allocate(size, alignment).fill((byte) 0);
    }

    /** Collects the fields of a struct in C order and gives each its offset. Used in static initialisers only. */
    public static final class Builder {
        private final String name;
        private final List<Field> fields = new ArrayList<>();
        private long end;
        private long alignment = 1;
        private long union = -1;

        private Builder(String name) {
            this.name = name;
        }

        /**
         * Adds a {@code __u8}.
         *
         * @param field the C name
         * @return the field
         */
        public U8 u8(String field) {
            return add(new U8(field, next(1, 1)));
        }

        /**
         * Adds a {@code __u16}.
         *
         * @param field the C name
         * @return the field
         */
        public U16 u16(String field) {
            return add(new U16(field, next(2, 2)));
        }

        /**
         * Adds a {@code __u32}.
         *
         * @param field the C name
         * @return the field
         */
        public U32 u32(String field) {
            return add(new U32(field, next(4, 4)));
        }

        /**
         * Adds a {@code __s32}.
         *
         * @param field the C name
         * @return the field
         */
        public S32 s32(String field) {
            return add(new S32(field, next(4, 4)));
        }

        /**
         * Adds a {@code __u64}, a pointer or a {@code size_t}.
         *
         * @param field the C name
         * @return the field
         */
        public U64 u64(String field) {
            return add(new U64(field, next(8, 8)));
        }

        /**
         * Adds a nested struct.
         *
         * @param field the C name
         * @param struct its layout
         * @return the field
         */
        public Bytes nested(String field, Struct struct) {
            return add(new Bytes(field, next(struct.size, struct.alignment), struct.size));
        }

        /**
         * Adds an array.
         *
         * @param field the C name
         * @param size its length in bytes
         * @param elementAlignment the alignment of an element in bytes
         * @return the field
         */
        public Bytes array(String field, long size, long elementAlignment) {
            return add(new Bytes(field, next(size, elementAlignment), size));
        }

        /**
         * Lets the next field begin where an earlier one does: both are members of a union. The field after it follows
         * the longer of the two.
         *
         * @param member the union's first member, whose alignment is the largest
         * @return this builder
         */
        public Builder over(Field member) {
            union = member.offset();
            return this;
        }

        /**
         * Adds the flexible array at the end.
         *
         * @param field the C name
         * @param elementAlignment the alignment of an element in bytes
         * @return the field, of size 0
         */
        public Bytes flexible(String field, long elementAlignment) {
            return add(new Bytes(field, next(0, elementAlignment), 0));
        }

        /**
         * Ends the description.
         *
         * @return the layout, padded to its alignment
         */
        public Struct end() {
            return new Struct(name, align(end, alignment), alignment, List.copyOf(fields));
        }

        private <F extends Field> F add(F field) {
            fields.add(field);
            return field;
        }

        private long next(long size, long fieldAlignment) {
            long offset = align(union >= 0 ? union : end, fieldAlignment);
            if (union >= 0 && offset != union) {
                throw new IllegalStateException("the member of the union at " + union + " of " + name
                        + " with the largest alignment must be its first");
            }
            union = -1;
            end = Math.max(end, offset + size);
            alignment = Math.max(alignment, fieldAlignment);
            return offset;
        }

        private static long align(long value, long to) {
            return (value + to - 1) / to * to;
        }
    }
}
