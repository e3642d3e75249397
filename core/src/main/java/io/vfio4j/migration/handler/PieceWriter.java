// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.StateOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Bytes one after the other, in pieces that are as long as the buffers are. */
final class PieceWriter {
    private final StateOutput out;
    private @Nullable PooledBuffer piece;

    PieceWriter(StateOutput out) {
        this.out = out;
    }

    /** Writes all of it. */
    void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            PooledBuffer to = piece();
            int count = Math.min(bytes.remaining(), to.capacity() - to.length());
            int at = PooledBuffer.HEAD_ROOM + to.length();
            to.view(at, at + count).put(bytes.slice(bytes.position(), count));
            bytes.position(bytes.position() + count);
            to.length(to.length() + count);
            if (to.length() == to.capacity()) {
                finish();
            }
        }
    }

    private PooledBuffer piece() throws IOException {
        PooledBuffer to = piece;
        if (to == null) {
            to = out.acquire();
            to.length(0);
            piece = to;
        }
        return to;
    }

    /** Sends what is there. */
    void finish() throws IOException {
        PooledBuffer last = piece;
        if (last != null) {
            piece = null;
            out.send(last);
        }
    }

    /** Gives back what was not sent, for something has failed. */
    void giveBack() {
        if (piece != null) {
            out.giveBack(piece);
            piece = null;
        }
    }
}
