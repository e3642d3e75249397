// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.DataFd;
import java.lang.foreign.MemorySegment;

/**
 * A data transfer session that writes a device's state, in RESUMING.
 *
 * <p>One thread at a time; {@link #write} may block in the driver. An error while writing is final, even where the
 * driver would go on to accept the arc to STOP: such drivers exist. Closing the session closes its fd and leaves the
 * device in RESUMING; the way out is {@link #finish} or {@link VfioDevice#reset}.
 */
public final class ResumingSession implements AutoCloseable {
    private final VfioDevice device;
    private final DataFd fd;
    private boolean failed;
    private boolean closed;

    ResumingSession(VfioDevice device, DataFd fd) {
        this.device = device;
        this.fd = fd;
    }

    /**
     * Writes the next piece of the state, all of it.
     *
     * @param buffer native memory
     * @param offset where in the buffer the first byte is
     * @param length how many bytes
     * @throws VfioException {@code SESSION_ENDED} when the device was reset or moved behind this session's back,
     *     {@code FAILED} with the driver's errno where it refuses the data
     */
    public void write(MemorySegment buffer, long offset, long length) throws VfioException {
        long position = offset;
        long end = offset + length;
        while (position < end) {
            long result = fd.write(buffer, position, end - position);
            if (result > 0) {
                position += result;
            } else if (!Errno.EINTR.is(result)) {
                failed = true;
                throw failure(result);
            }
        }
    }

    /**
     * Ends the session; the driver checks what it got: {@code RESUMING → STOP}. A device that refuses is reset.
     *
     * @throws VfioException where the driver refuses the state, or an earlier write had failed; {@code SESSION_ENDED}
     *     when the device was reset or moved behind this session's back
     */
    public void finish() throws VfioException {
        if (failed) {
            throw new VfioException(
                    Problem.FAILED, device.name(), "its state was not written whole, so it must not be used");
        }
        // A device that was reset since the last write would go to STOP as willingly, with nothing of what was written.
        MigrationState now = device.state();
        if (now != MigrationState.RESUMING) {
            throw new VfioException(
                    Problem.SESSION_ENDED,
                    device.name(),
                    "it is in " + now
                            + ", not in RESUMING; the device was reset or taken to another state, and what was "
                            + "written is lost");
        }
        device.setState(MigrationState.STOP);
    }

    /** Closes the session's fd. Does nothing the second time. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            fd.close();
        }
    }

    private VfioException failure(long result) {
        if (Errno.ENODEV.is(result)) {
            return new VfioException(
                    Problem.SESSION_ENDED,
                    device.name(),
                    "its data transfer session has ended; the device was reset or taken to another state",
                    result);
        }
        if (result == 0) {
            return new VfioException(Problem.FAILED, device.name(), "its driver takes no more of its state");
        }
        return new VfioException(
                Problem.FAILED,
                device.name(),
                "its driver refused the state; source and destination may differ in driver, firmware or configuration",
                result);
    }
}
