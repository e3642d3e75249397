// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static io.vfio4j.emulator.BlockSet.BLOCK_BITS;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Turns the state into the stream that a saving data_fd gives: what is unsent first, what has changed since after that.
 *
 * <p>Guarded by the device's lock. Nothing is allocated per read; data goes from the state's file into the caller's
 * buffer by one {@code pread}.
 */
final class SavingStream {
    private final LibC libc;
    private final int stateFd;
    private final long size;
    private final int initialBlocks;
    private final BlockSet initial;
    private final BlockSet dirty;
    private final MemorySegment head = Arena.ofAuto().allocate(StateFormat.HEADER_BYTES, Long.BYTES);

    private long headAt;
    private long headEnd = StateFormat.HEADER_BYTES;
    private long recordAt;
    private long recordEnd;
    private boolean recordIsInitial;
    private int cursor;
    private long dataBytes;
    private boolean stopCopy;
    private boolean trailerMade;

    SavingStream(LibC libc, int stateFd, long size, long initialBytes) {
        this.libc = libc;
        this.stateFd = stateFd;
        this.size = size;
        this.initial = new BlockSet(size);
        this.dirty = new BlockSet(size);
        this.initialBlocks = initialBytes == 0 ? initial.blocks() : BlockSet.blocksOf(initialBytes);
        initial.addRange(0, initialBlocks);
        dirty.addRange(initialBlocks, dirty.blocks());
        head.set(StateFormat.U64, 0, StateFormat.HEADER_MAGIC);
        head.set(StateFormat.U32, StateFormat.VERSION_AT, StateFormat.VERSION);
        head.set(StateFormat.U64, StateFormat.SIZE_AT, size);
    }

    /** Fills the buffer as far as there is data: the number of bytes, 0 when there is nothing now, or -errno. */
    long read(MemorySegment buffer, long offset, long length) {
        long done = 0;
        while (done < length) {
            if (headAt < headEnd) {
                long n = Math.min(length - done, headEnd - headAt);
                MemorySegment.copy(head, headAt, buffer, offset + done, n);
                headAt += n;
                done += n;
            } else if (recordAt < recordEnd) {
                long n = Math.min(length - done, recordEnd - recordAt);
                long got = libc.pread(stateFd, buffer, offset + done, n, recordAt);
                if (got <= 0) {
                    return done > 0 ? done : got < 0 ? got : Errno.EIO.negated();
                }
                recordAt += got;
                done += got;
            } else if (!begin()) {
                break;
            }
        }
        return done;
    }

    /** Notes that a block has changed. What will be read anyway needs no second reading. */
    void changed(int block) {
        long begin = (long) block << BLOCK_BITS;
        boolean ahead = begin >= recordAt && begin < recordEnd;
        if (!ahead && !initial.contains(block)) {
            dirty.add(block);
        }
    }

    /** Makes all that is to be sent, and the first part of the state again, initial data. */
    void reinit() {
        initial.addAll(dirty);
        dirty.clear();
        initial.addRange(0, initialBlocks);
    }

    void enterStopCopy() {
        stopCopy = true;
    }

    long initialBytes() {
        return initial.bytes() + (recordIsInitial ? recordEnd - recordAt : 0);
    }

    long dirtyBytes() {
        return dirty.bytes() + (recordIsInitial ? 0 : recordEnd - recordAt);
    }

    /** Returns how long the rest of the stream is if nothing changes any more. */
    long remaining() {
        long runs = (long) initial.runs(StateFormat.RECORD_BLOCKS) + dirty.runs(StateFormat.RECORD_BLOCKS);
        return headEnd
                - headAt
                + initialBytes()
                + dirtyBytes()
                + runs * StateFormat.RECORD_BYTES
                + (trailerMade ? 0 : StateFormat.TRAILER_BYTES);
    }

    private boolean begin() {
        if (initial.isEmpty() && dirty.isEmpty()) {
            if (!stopCopy || trailerMade) {
                return false;
            }
            trailerMade = true;
            beginHead(StateFormat.TRAILER_MAGIC, dataBytes);
            return true;
        }
        recordIsInitial = !initial.isEmpty();
        BlockSet from = recordIsInitial ? initial : dirty;
        int block = from.next(cursor);
        if (block == from.blocks()) {
            block = from.next(0);
        }
        int end = from.endOfRun(block, StateFormat.RECORD_BLOCKS);
        from.removeRange(block, end);
        cursor = end;
        recordAt = (long) block << BLOCK_BITS;
        recordEnd = Math.min((long) end << BLOCK_BITS, size);
        dataBytes += recordEnd - recordAt;
        beginHead(recordAt, recordEnd - recordAt);
        return true;
    }

    private void beginHead(long first, long second) {
        head.set(StateFormat.U64, 0, first);
        head.set(StateFormat.U64, StateFormat.LENGTH_AT, second);
        headAt = 0;
        headEnd = StateFormat.RECORD_BYTES;
    }
}
