// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Puts the stream that is written to a resuming data_fd into the state, and knows whether all of it has come.
 *
 * <p>Guarded by the device's lock. Nothing is allocated per write; data goes from the caller's buffer into the state's
 * file by one {@code pwrite}.
 */
final class LoadingStream {
    private final StateContents contents;
    private final long size;
    private final MemorySegment head = Arena.ofAuto().allocate(StateFormat.HEADER_BYTES, Long.BYTES);

    private boolean headerSeen;
    private boolean trailerSeen;
    private boolean broken;
    private long headAt;
    private long recordAt;
    private long recordEnd;
    private long dataBytes;

    LoadingStream(StateContents contents, long size) {
        this.contents = contents;
        this.size = size;
    }

    /** Takes what the buffer holds: the number of bytes, or -errno. A stream that was wrong once stays wrong. */
    long write(MemorySegment buffer, long offset, long length) {
        if (broken) {
            return Errno.EINVAL.negated();
        }
        long done = 0;
        while (done < length) {
            if (trailerSeen) {
                return done > 0 ? done : Errno.ENOMEM.negated();
            }
            if (recordAt < recordEnd) {
                long n = Math.min(length - done, recordEnd - recordAt);
                long put = contents.put(buffer, offset + done, n, recordAt);
                if (put <= 0) {
                    return done > 0 ? done : put < 0 ? put : Errno.EIO.negated();
                }
                recordAt += put;
                done += put;
                continue;
            }
            long wanted = headerSeen ? StateFormat.RECORD_BYTES : StateFormat.HEADER_BYTES;
            long n = Math.min(length - done, wanted - headAt);
            MemorySegment.copy(buffer, offset + done, head, headAt, n);
            headAt += n;
            done += n;
            if (headAt == wanted) {
                headAt = 0;
                broken = headerSeen ? !takeRecord() : !takeHeader();
                if (broken) {
                    return Errno.EINVAL.negated();
                }
            }
        }
        return done;
    }

    boolean isComplete() {
        return trailerSeen;
    }

    private boolean takeHeader() {
        headerSeen = true;
        return head.get(StateFormat.U64, 0) == StateFormat.HEADER_MAGIC
                && head.get(StateFormat.U32, StateFormat.VERSION_AT) == StateFormat.VERSION
                && head.get(StateFormat.U64, StateFormat.SIZE_AT) == size;
    }

    private boolean takeRecord() {
        long offset = head.get(StateFormat.U64, 0);
        long length = head.get(StateFormat.U64, StateFormat.LENGTH_AT);
        if (offset == StateFormat.TRAILER_MAGIC) {
            trailerSeen = length == dataBytes;
            return trailerSeen;
        }
        if (offset < 0 || length <= 0 || offset > size || length > size - offset) {
            return false;
        }
        recordAt = offset;
        recordEnd = offset + length;
        dataBytes += length;
        return true;
    }
}
