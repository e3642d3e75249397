// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import java.lang.foreign.MemorySegment;

/** The data_fd of a saving session. Its session's fields are guarded by the device's lock. */
final class SavingFile extends DataFile {
    final SavingStream stream;

    /** There is new initial data that PRECOPY_INFO has not told yet. */
    boolean reinitUntold;

    SavingFile(EmulatedDevice device, SavingStream stream) {
        super(device);
        this.stream = stream;
    }

    @Override
    int ioctl(long request, MemorySegment argument) {
        return request == Vfio.VFIO_MIG_GET_PRECOPY_INFO ? device.precopyInfo(this, argument) : Errno.ENOTTY.negated();
    }

    @Override
    long read(MemorySegment buffer, long offset, long length) {
        return device.read(this, buffer, offset, length);
    }

    @Override
    long write(MemorySegment buffer, long offset, long length) {
        return Errno.EBADF.negated();
    }
}
