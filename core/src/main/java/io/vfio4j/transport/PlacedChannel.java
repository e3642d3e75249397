// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.transport.TransportException.Problem;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/** The places of a file, by a descriptor of their own: one that does not know what was written front to back. */
final class PlacedChannel implements PlacedOutput {
    /** Linux takes less than 2 GiB at a time. */
    private static final long MAX_WRITE = 1 << 30;

    private final LibC libc;
    private final int fd;
    private final String name;
    /** Closing waits for the calls under way: their descriptor's number may be another file's thereafter. */
    private final ReadWriteLock inUse = new ReentrantReadWriteLock();

    private volatile boolean punches = true;
    private boolean closed;

    /** Takes a descriptor over. */
    PlacedChannel(LibC libc, int fd, String name) {
        this.libc = libc;
        this.fd = fd;
        this.name = name;
    }

    private interface Call {
        /** Returns a negative errno, or what the kernel has done. */
        long make();
    }

    @Override
    public void write(MemorySegment from, long position) throws TransportException {
        long written = 0;
        while (written < from.byteSize()) {
            long at = written;
            long length = Math.min(MAX_WRITE, from.byteSize() - at);
            long result = call(() -> libc.pwrite(fd, from, at, length, position + at));
            if (result <= 0) {
                throw failed("writing to", result == 0 ? "nothing was taken" : Errno.describe(result));
            }
            written += result;
        }
    }

    @Override
    public void clear(long position, long bytes) throws TransportException {
        if (!punches) {
            return;
        }
        long result =
                call(() -> libc.fallocate(fd, LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE, position, bytes));
        if (Errno.EOPNOTSUPP.is(result)) {
            punches = false;
        } else if (result < 0) {
            throw failed("punching a hole into", Errno.describe(result));
        }
    }

    private long call(Call call) throws TransportException {
        Lock use = inUse.readLock();
        use.lock();
        try {
            long result;
            do {
                if (closed) {
                    throw new TransportException(Problem.ENDED, name + ": closed while writing to it", null);
                }
                result = call.make();
            } while (Errno.EINTR.is(result));
            return result;
        } finally {
            use.unlock();
        }
    }

    private TransportException failed(String what, @Nullable String why) {
        return new TransportException(Problem.FAILED, what + " " + name + " failed: " + why, null);
    }

    void close() {
        Lock alone = inUse.writeLock();
        alone.lock();
        try {
            if (!closed) {
                closed = true;
                libc.close(fd);
            }
        } finally {
            alone.unlock();
        }
    }
}
