// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

/**
 * A range of addresses: I/O addresses for a device, guest physical ones for KVM, this process's own for userfaultfd.
 *
 * @param start the first address, unsigned
 * @param length how many bytes, more than 0; the last address may be the last of all
 */
public record AddressRange(long start, long length) implements Comparable<AddressRange> {
    /**
     * Checks the range.
     *
     * @throws IllegalArgumentException for a length below 1 or an end beyond the last address
     */
    public AddressRange {
        if (length <= 0) {
            throw new IllegalArgumentException("a range has a length above 0, not " + length);
        }
        if (Long.compareUnsigned(start + length - 1, start) < 0) {
            throw new IllegalArgumentException(
                    "a range of " + length + " bytes from 0x" + Long.toHexString(start) + " ends beyond 64 bits");
        }
    }

    /**
     * Returns the last address that belongs to the range.
     *
     * @return the address, unsigned
     */
    public long last() {
        return start + length - 1;
    }

    /**
     * Tells whether another range lies within this one.
     *
     * @param other the other
     * @return whether all its addresses belong to this one, too
     */
    public boolean contains(AddressRange other) {
        return Long.compareUnsigned(start, other.start) <= 0 && Long.compareUnsigned(other.last(), last()) <= 0;
    }

    /**
     * Tells whether two ranges have an address in common.
     *
     * @param other the other
     * @return whether they overlap
     */
    public boolean overlaps(AddressRange other) {
        return Long.compareUnsigned(start, other.last()) <= 0 && Long.compareUnsigned(other.start, last()) <= 0;
    }

    /**
     * Returns the addresses that belong to both ranges.
     *
     * @param other the other, which overlaps this one
     * @return what they have in common
     * @throws IllegalArgumentException when they do not overlap
     */
    public AddressRange intersect(AddressRange other) {
        long from = Long.compareUnsigned(start, other.start) >= 0 ? start : other.start;
        long to = Long.compareUnsigned(last(), other.last()) <= 0 ? last() : other.last();
        return new AddressRange(from, to - from + 1);
    }

    /** Orders by the first address, unsigned. */
    @Override
    public int compareTo(AddressRange other) {
        int byStart = Long.compareUnsigned(start, other.start);
        return byStart != 0 ? byStart : Long.compare(length, other.length);
    }

    /**
     * Returns both ends in hexadecimal.
     *
     * @return such as {@code 0x1000-0x1fff}
     */
    @Override
    public String toString() {
        return "0x" + Long.toHexString(start) + "-0x" + Long.toHexString(last());
    }
}
