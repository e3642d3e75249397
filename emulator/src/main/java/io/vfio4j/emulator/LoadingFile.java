// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import java.lang.foreign.MemorySegment;

/** The data_fd of a resuming session. Its session's fields are guarded by the device's lock. */
final class LoadingFile extends DataFile {
    final LoadingStream stream;

    LoadingFile(EmulatedDevice device, LoadingStream stream) {
        super(device);
        this.stream = stream;
    }

    @Override
    long read(MemorySegment buffer, long offset, long length) {
        return Errno.EBADF.negated();
    }

    @Override
    long write(MemorySegment buffer, long offset, long length) {
        return device.write(this, buffer, offset, length);
    }
}
