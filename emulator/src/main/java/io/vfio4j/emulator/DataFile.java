// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import java.lang.foreign.MemorySegment;

/** The data_fd of a data transfer session: a stream without positions. */
abstract class DataFile extends EmulatedFile {
    final EmulatedDevice device;

    /** How many bytes have gone through. Guarded by the device's lock. */
    long position;

    /** The device has left the session's states. Guarded by the device's lock. */
    boolean ended;

    DataFile(EmulatedDevice device) {
        this.device = device;
    }

    @Override
    final long pread(MemorySegment buffer, long offset, long length, long at) {
        return Errno.ESPIPE.negated();
    }

    @Override
    final long pwrite(MemorySegment buffer, long offset, long length, long at) {
        return Errno.ESPIPE.negated();
    }
}
