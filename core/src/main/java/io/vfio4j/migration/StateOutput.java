// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.PooledBuffer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Where a {@link StateHandler} sends its state: an ordered stream of its own.
 *
 * <p>For the handler's own thread, within {@link StateHandler#iterate}, {@link StateHandler#complete} and
 * {@link StateHandler#saveLater}.
 */
public interface StateOutput {
    /** How long what {@link #sendExtra} sends can be, in bytes. */
    int MAX_EXTRA = 60 << 10;

    /**
     * Takes a free buffer, waiting for one. It goes back by {@link #send} or {@link #giveBack}.
     *
     * @return page-aligned memory to read the next piece into; the payload begins at {@link PooledBuffer#HEAD_ROOM}
     * @throws IOException when the migration has failed or was cancelled
     */
    PooledBuffer acquire() throws IOException;

    /**
     * Gives back a buffer that there was nothing to put into.
     *
     * @param unused the buffer
     */
    void giveBack(PooledBuffer unused);

    /**
     * Sends a buffer's payload, now or soon.
     *
     * @param chunk the buffer, with its {@link PooledBuffer#length(int) length} set; it is the caller's no more
     * @throws IOException when the peer is gone
     */
    void send(PooledBuffer chunk) throws IOException;

    /**
     * Sends something beside the state, in its place among the pieces: what {@link StateHandler#loadExtra} takes.
     *
     * @param extra at most {@link #MAX_EXTRA} bytes, from position to limit
     * @throws IOException when the peer is gone
     */
    void sendExtra(ByteBuffer extra) throws IOException;

    /**
     * Sends pages of memory from where they lie, without a copy in user space, now or soon. What
     * {@link StateHandler#placePages} places at the other side.
     *
     * @param table a buffer whose payload is a {@link io.vfio4j.stream.PageTable}, with its
     *     {@link PooledBuffer#length(int) length} set; it is the caller's no more
     * @param pages the pages that the table says are present, in its order: native memory that any thread may read,
     *     which stays mapped until the migration has ended. It may be written to meanwhile: what goes is then a mixture
     * @throws IOException when the peer is gone, and within {@link StateHandler#saveLater}: pages cannot wait
     */
    void sendPages(PooledBuffer table, List<MemorySegment> pages) throws IOException;

    /**
     * Tells whoever watches the migration what they should know, although the migration goes on. What is said now
     * reaches {@link io.vfio4j.observe.MigrationListener#onNotice} soon, on the migration's thread.
     *
     * @param text one line for a person; the handler's name is put before it
     */
    void notice(String text);
}
