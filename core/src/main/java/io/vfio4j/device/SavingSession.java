// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.device.VfioException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.DataFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A data transfer session that reads a device's state, in PRE_COPY, in STOP_COPY, or in one after the other.
 *
 * <p>One thread at a time. {@link #read} may block in the driver, and it does not answer {@link Thread#interrupt()};
 * the thread should take no signals, for a driver may drop what an interrupted read had copied already. Closing the
 * session closes its fd and leaves the device's state as it is.
 */
public final class SavingSession implements AutoCloseable {
    /** What {@link #read} returns when there is nothing now: the device runs, and more may come. */
    public static final int DRAINED = 0;

    /** What {@link #read} returns when all has been read: the device is in STOP_COPY, and no more will come. */
    public static final int END_OF_STATE = -1;

    private final VfioDevice device;
    private final DataFd fd;
    private final boolean reportsReinit;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment infoArgument = VfioPrecopyInfo.STRUCT.allocate(arena);
    private MigrationState phase;
    private boolean closed;

    SavingSession(VfioDevice device, DataFd fd, MigrationState phase, boolean reportsReinit) {
        this.device = device;
        this.fd = fd;
        this.phase = phase;
        this.reportsReinit = reportsReinit;
    }

    /**
     * Returns where in the session the device is.
     *
     * @return PRE_COPY, PRE_COPY_P2P or STOP_COPY
     */
    public MigrationState phase() {
        return phase;
    }

    /**
     * Reads the next piece of the state. Short counts are normal.
     *
     * @param buffer native memory
     * @param offset where in the buffer to put the first byte
     * @param length how many bytes at the most, &gt; 0
     * @return how many bytes were read, {@link #DRAINED} or {@link #END_OF_STATE}
     * @throws VfioException {@code SESSION_ENDED} when the device was reset or moved behind this session's back,
     *     {@code FAILED} with the driver's errno otherwise; the session is of no more use
     */
    public long read(MemorySegment buffer, long offset, long length) throws VfioException {
        while (true) {
            long result = fd.read(buffer, offset, length);
            if (result > 0) {
                return result;
            }
            if (Errno.EINTR.is(result)) {
                continue;
            }
            // Drivers differ: some say ENOMSG when drained, as the uAPI asks for, others say 0. In STOP_COPY, 0 is the
            // end.
            if (phase.isPreCopy() && (result == 0 || Errno.ENOMSG.is(result))) {
                return DRAINED;
            }
            if (result == 0) {
                return END_OF_STATE;
            }
            if (Errno.ENODEV.is(result)) {
                throw new VfioException(
                        Problem.SESSION_ENDED,
                        device.name(),
                        "its data transfer session has ended; the device was reset or taken to another state",
                        result);
            }
            throw new VfioException(Problem.FAILED, device.name(), "reading its state in " + phase + " failed", result);
        }
    }

    /**
     * Asks how much there is to read in PRE_COPY: {@code VFIO_MIG_GET_PRECOPY_INFO}. Not passive: some drivers produce
     * their next increment on this call only, so a drained session has to call it before more can be read.
     *
     * @return the driver's estimates; {@link PrecopyInfo#EMPTY} where it cannot tell, and in STOP_COPY
     */
    public PrecopyInfo precopyInfo() {
        if (!phase.isPreCopy()) {
            return PrecopyInfo.EMPTY;
        }
        infoArgument.fill((byte) 0);
        VfioPrecopyInfo.ARGSZ.set(infoArgument, (int) VfioPrecopyInfo.STRUCT.size());
        if (fd.getPrecopyInfo(infoArgument) < 0) {
            return PrecopyInfo.EMPTY;
        }
        boolean reinit =
                reportsReinit && (VfioPrecopyInfo.FLAGS.get(infoArgument) & Vfio.VFIO_PRECOPY_INFO_REINIT) != 0;
        return new PrecopyInfo(
                atLeastZero(VfioPrecopyInfo.INITIAL_BYTES.get(infoArgument)),
                atLeastZero(VfioPrecopyInfo.DIRTY_BYTES.get(infoArgument)),
                reinit);
    }

    /**
     * Keeps the running device from peer-to-peer DMA, the first step towards its stop: {@code PRE_COPY → PRE_COPY_P2P}.
     * Does nothing for a device without P2P.
     *
     * @param recover where to go when that fails, the best state first; with none, the device is reset at once
     * @throws VfioException as {@link VfioDevice#setState}
     */
    public void quiesce(MigrationState... recover) throws VfioException {
        if (phase == MigrationState.PRE_COPY && device.features().p2p()) {
            device.setState(MigrationState.PRE_COPY_P2P, recover);
            phase = MigrationState.PRE_COPY_P2P;
        }
    }

    /**
     * Undoes {@link #quiesce}: {@code PRE_COPY_P2P → PRE_COPY}.
     *
     * @param recover where to go when that fails, the best state first; with none, the device is reset at once
     * @throws VfioException as {@link VfioDevice#setState}
     */
    public void unquiesce(MigrationState... recover) throws VfioException {
        if (phase == MigrationState.PRE_COPY_P2P) {
            device.setState(MigrationState.PRE_COPY, recover);
            phase = MigrationState.PRE_COPY;
        }
    }

    /**
     * Stops the device; the rest of its state follows in this session: {@code → STOP_COPY}.
     *
     * @param recover where to go when that fails, the best state first; with none, the device is reset at once
     * @throws VfioException as {@link VfioDevice#setState}
     */
    public void stop(MigrationState... recover) throws VfioException {
        device.setState(MigrationState.STOP_COPY, recover);
        phase = MigrationState.STOP_COPY;
    }

    /** Closes the session's fd. Does nothing the second time. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            fd.close();
            arena.close();
        }
    }

    /** An estimate beyond 2^63 - 1 is as good as one of 2^63 - 1. */
    private static long atLeastZero(long unsigned) {
        return unsigned < 0 ? Long.MAX_VALUE : unsigned;
    }
}
