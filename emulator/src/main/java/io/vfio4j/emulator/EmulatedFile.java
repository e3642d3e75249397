// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What an emulated fd stands for: an open file, as the kernel has it behind one or more fds.
 *
 * <p>By default it knows no ioctl and can neither be read nor written. Counts its references: its fds, and what else
 * needs it open.
 */
abstract class EmulatedFile {
    private final AtomicInteger references = new AtomicInteger(1);

    int ioctl(long request, long value) {
        return ioctl(request, MemorySegment.NULL);
    }

    int ioctl(long request, MemorySegment argument) {
        return Errno.ENOTTY.negated();
    }

    long read(MemorySegment buffer, long offset, long length) {
        return Errno.EINVAL.negated();
    }

    long write(MemorySegment buffer, long offset, long length) {
        return Errno.EINVAL.negated();
    }

    long pread(MemorySegment buffer, long offset, long length, long position) {
        return Errno.EINVAL.negated();
    }

    long pwrite(MemorySegment buffer, long offset, long length, long position) {
        return Errno.EINVAL.negated();
    }

    /** Is called once, when the last reference is gone. */
    void released() {}

    final void reference() {
        references.incrementAndGet();
    }

    final void unreference() {
        if (references.decrementAndGet() == 0) {
            released();
        }
    }
}
