// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The hash XXH64 with seed 0: fast enough to digest a state of gigabytes in a test. */
final class Xxh64 {
    private static final long P1 = 0x9e3779b185ebca87L;
    private static final long P2 = 0xc2b2ae3d27d4eb4fL;
    private static final long P3 = 0x165667b19e3779f9L;
    private static final long P4 = 0x85ebca77c2b2ae63L;
    private static final long P5 = 0x27d4eb2f165667c5L;
    // Spelt out, for the sums overflow.
    private static final long P1_PLUS_P2 = 0x60ea27eeadc0b5d6L;
    private static final long MINUS_P1 = 0x61c8864e7a143579L;
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int STRIPE = 32;

    private Xxh64() {}

    static long of(MemorySegment data, long length) {
        long at = 0;
        long hash;
        if (length >= STRIPE) {
            long a = P1_PLUS_P2;
            long b = P2;
            long c = 0;
            long d = MINUS_P1;
            for (long end = length - STRIPE; at <= end; at += STRIPE) {
                a = round(a, data.get(U64, at));
                b = round(b, data.get(U64, at + 8));
                c = round(c, data.get(U64, at + 16));
                d = round(d, data.get(U64, at + 24));
            }
            hash = Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
            hash = merge(merge(merge(merge(hash, a), b), c), d);
        } else {
            hash = P5;
        }
        hash += length;
        for (; at + Long.BYTES <= length; at += Long.BYTES) {
            hash = Long.rotateLeft(hash ^ round(0, data.get(U64, at)), 27) * P1 + P4;
        }
        if (at + Integer.BYTES <= length) {
            hash = Long.rotateLeft(hash ^ Integer.toUnsignedLong(data.get(U32, at)) * P1, 23) * P2 + P3;
            at += Integer.BYTES;
        }
        for (; at < length; at++) {
            hash = Long.rotateLeft(hash ^ Byte.toUnsignedLong(data.get(JAVA_BYTE, at)) * P5, 11) * P1;
        }
        hash = (hash ^ (hash >>> 33)) * P2;
        hash = (hash ^ (hash >>> 29)) * P3;
        return hash ^ (hash >>> 32);
    }

    private static long round(long accumulator, long lane) {
        return Long.rotateLeft(accumulator + lane * P2, 31) * P1;
    }

    private static long merge(long hash, long accumulator) {
        return (hash ^ round(0, accumulator)) * P1 + P4;
    }
}
