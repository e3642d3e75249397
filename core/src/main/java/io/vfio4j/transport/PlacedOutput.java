// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.lang.foreign.MemorySegment;

/**
 * Writes to given places of a file, which is as long as its last place at the most, however often they are written to.
 *
 * <p>Any thread, several beside each other. Closed with the file that it is of.
 */
public interface PlacedOutput {
    /** What places are aligned to, in bytes: then files that are written past the page cache take them as well. */
    int ALIGNMENT = 4096;

    /**
     * Writes memory to a place, over what is there.
     *
     * @param from native memory, a multiple of {@link #ALIGNMENT} long and aligned to it
     * @param position the place, a multiple of {@link #ALIGNMENT}
     * @throws TransportException {@code FAILED} such as for a full disk, {@code ENDED} when the file was closed
     */
    void write(MemorySegment from, long position) throws TransportException;

    /**
     * Gives back the room of a place that was written to, which reads as zeros thereafter:
     * {@code FALLOC_FL_PUNCH_HOLE}. Where the file system cannot do that, the place stays as it is.
     *
     * @param position the place, a multiple of {@link #ALIGNMENT}
     * @param bytes how long it is, a multiple of {@link #ALIGNMENT}
     * @throws TransportException {@code FAILED} for any other failure, {@code ENDED} when the file was closed
     */
    void clear(long position, long bytes) throws TransportException;
}
