// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The bytes of a disk, wherever they are: {@link FdDisk} is a file or block device, {@link ChannelDisk} a
 * {@link java.nio.channels.FileChannel}; a monitor can bring its own format.
 *
 * <p>Calls come on one thread of the {@link DiskHandler}, beside the monitor's own reads and writes. Positions and
 * lengths are in bytes and lie within the disk. What is read, written and made zeros begins at a multiple of
 * {@link #blockSize} and ends at one or at the disk's end, unless a chunk of the migration has no room for a sector.
 */
public interface DiskImage {
    /**
     * Returns how long the disk is now.
     *
     * @return bytes
     * @throws IOException when it cannot be asked
     */
    long length() throws IOException;

    /**
     * Returns what the guest sees as the size of a sector.
     *
     * @return bytes, a power of two
     */
    int blockSize();

    /**
     * Tells whether it cannot be written to.
     *
     * @return true for one that cannot be loaded into
     */
    boolean isReadOnly();

    /**
     * Reads; less than what there is room for where it has to.
     *
     * @param to a direct buffer
     * @param position where from
     * @return how many bytes, or -1 at the end
     * @throws IOException when it cannot
     */
    int read(ByteBuffer to, long position) throws IOException;

    /**
     * Writes all of a buffer.
     *
     * @param from a direct buffer
     * @param position where to
     * @throws IOException when it cannot, such as for lack of room
     */
    void write(ByteBuffer from, long position) throws IOException;

    /**
     * Lets a part be zeros; where it can, as a hole that takes no room.
     *
     * @param position the first byte
     * @param count how many, at most 64 MiB
     * @return how many bytes it had to write for that, which {@link #flush} will have to wait for; 0 for a hole
     * @throws IOException when it cannot
     */
    long zero(long position, long count) throws IOException;

    /**
     * Looks for what is no hole.
     *
     * @param position where to look from
     * @return where data begin, from there on; the disk's length where there are none; {@code position} where holes are
     *     not known
     * @throws IOException when it cannot be asked
     */
    default long nextData(long position) throws IOException {
        return position;
    }

    /**
     * Looks for a hole.
     *
     * @param position where to look from, within data
     * @return where the data end; the disk's length where there are no more holes, or holes are not known
     * @throws IOException when it cannot be asked
     */
    default long nextHole(long position) throws IOException {
        return length();
    }

    /**
     * Takes all the room that the disk can need, or says that there is not enough, before anything is replaced. Does
     * nothing for a disk that takes it as it goes.
     *
     * @throws IOException when there is no room
     */
    default void reserve() throws IOException {}

    /**
     * Waits until all that was written is on disk.
     *
     * @throws IOException when it cannot be
     */
    void flush() throws IOException;
}
