// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The bytes of an emulated device's stream, little-endian: a header, records, a trailer.
 *
 * <pre>
 * header   u64 magic   u32 version   u32 0   u64 size of the state
 * record   u64 offset  u64 length    then the data
 * trailer  u64 magic   u64 sum of the lengths of all records
 * </pre>
 */
final class StateFormat {
    static final ValueLayout.OfLong U64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt U32 = JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** {@code vfio4jst}, as it reads in a dump. */
    static final long HEADER_MAGIC = 0x74736a346f696676L;

    /** {@code vfio4jen}; as an offset it would lie behind every state. */
    static final long TRAILER_MAGIC = 0x6e656a346f696676L;

    static final int VERSION = 1;
    static final long HEADER_BYTES = 24;
    static final long VERSION_AT = 8;
    static final long SIZE_AT = 16;
    static final long RECORD_BYTES = 16;
    static final long LENGTH_AT = 8;
    static final long TRAILER_BYTES = 16;

    /** The longest record: long enough that headers do not matter, short enough that a fresh change waits little. */
    static final int RECORD_BLOCKS = 128;

    private StateFormat() {}

    /** Returns the length of the stream of a state that is sent once. */
    static long bytesOf(long size) {
        long records = ((long) BlockSet.blocksOf(size) + RECORD_BLOCKS - 1) / RECORD_BLOCKS;
        return HEADER_BYTES + records * RECORD_BYTES + size + TRAILER_BYTES;
    }
}
