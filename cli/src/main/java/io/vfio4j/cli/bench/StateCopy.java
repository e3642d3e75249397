// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static io.vfio4j.device.MigrationState.PRE_COPY;
import static io.vfio4j.device.MigrationState.RESUMING;
import static io.vfio4j.device.MigrationState.RUNNING;
import static io.vfio4j.device.MigrationState.RUNNING_P2P;
import static io.vfio4j.device.MigrationState.STOP;
import static io.vfio4j.device.MigrationState.STOP_COPY;

import io.vfio4j.device.ResumingSession;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Reads the whole state of a device once, and writes it to a peer where there is one; with one thread and one buffer,
 * so that the time is the drivers'. The device runs again thereafter, with its state; the peer has been reset.
 *
 * <p>Pre-copy goes on until there is nothing to read now, until twice the state has gone, or until its time is over: a
 * device may change faster than it can be read.
 */
public final class StateCopy {
    private static final long PAGE = 4096;

    private final VfioDevice device;
    private final @Nullable VfioDevice peer;
    private final long maxPreCopyNanos;
    private final ArcTimes arcs;
    private final Time time;
    private final Pulse pulse;

    /**
     * Prepares copies; nothing is touched yet.
     *
     * @param device the device, in RUNNING; it stays the caller's
     * @param peer a device in RUNNING that takes the state and drops it, with the state that it holds; null for none
     * @param maxPreCopyNanos how long pre-copy goes on at the most, in nanoseconds
     * @param arcs where the times of the peer's arcs go
     * @param time the clock
     * @param pulse is told of each call
     */
    public StateCopy(
            VfioDevice device, @Nullable VfioDevice peer, long maxPreCopyNanos, ArcTimes arcs, Time time, Pulse pulse) {
        this.device = device;
        this.peer = peer;
        this.maxPreCopyNanos = maxPreCopyNanos;
        this.arcs = arcs;
        this.time = time;
        this.pulse = pulse;
    }

    /**
     * Copies the state once.
     *
     * @param chunkBytes how much to read at once, &gt; 0
     * @param preCopy whether to begin while the device runs, where it has PRE_COPY
     * @return what was done
     * @throws IOException when a driver fails; the device is in RUNNING if it can be taken there
     */
    public CopyReport copy(int chunkBytes, boolean preCopy) throws IOException {
        if (peer == null) {
            return save(chunkBytes, preCopy, null);
        }
        try (ResumingSession loading = startLoading(peer)) {
            CopyReport report = save(chunkBytes, preCopy, loading);
            loading.finish();
            arcs.record(new Arc(RESUMING, STOP), peer.lastArcNanos());
            peer.reset();
            return report;
        } catch (IOException | RuntimeException | Error e) {
            Recovery.resetAfter(e, peer);
            throw e;
        }
    }

    private ResumingSession startLoading(VfioDevice to) throws VfioException {
        to.setState(STOP, RUNNING);
        ResumingSession loading = to.startResuming(RUNNING);
        arcs.record(new Arc(STOP, RESUMING), to.lastArcNanos());
        return loading;
    }

    private CopyReport save(int chunkBytes, boolean preCopy, @Nullable ResumingSession to) throws IOException {
        try (Arena arena = Arena.ofConfined();
                Copying copying = new Copying(arena.allocate(chunkBytes, PAGE), to)) {
            if (preCopy && device.features().preCopy()) {
                copying.preCopy();
            }
            CopyReport report = copying.stopCopy(chunkBytes);
            copying.finish();
            return report;
        }
    }

    /** One copy, on its way. Closing it takes the device back to RUNNING, unless that has been done. */
    private final class Copying implements AutoCloseable {
        private final MemorySegment buffer;
        private final @Nullable ResumingSession to;
        private final Timeline timeline = new Timeline(time.nanoTime());
        private @Nullable SavingSession session;
        private boolean finished;
        private long bytes;
        private long readNanos;
        private long writeNanos;

        Copying(MemorySegment buffer, @Nullable ResumingSession to) {
            this.buffer = buffer;
            this.to = to;
        }

        void preCopy() throws IOException {
            long begin = time.nanoTime();
            timeline.phase("pre-copy", begin);
            SavingSession saving = device.startSaving(PRE_COPY, RUNNING);
            session = saving;
            long enough = PreCopyLimit.bytes(device, saving);
            boolean more = true;
            while (more && bytes < enough && time.nanoTime() - begin < maxPreCopyNanos) {
                more = move(saving) != SavingSession.DRAINED;
            }
        }

        CopyReport stopCopy(int chunkBytes) throws IOException {
            CopyReport.Moved running = moved(0, 0, 0);
            long said = device.stopCopyLength();
            long begin = time.nanoTime();
            timeline.phase("stop-copy", begin);
            quiesce();
            long quiesced = time.nanoTime();
            pulse.beat();
            SavingSession saving = stop();
            long stopped = time.nanoTime();
            pulse.beat();
            long read;
            do {
                read = move(saving);
            } while (read != SavingSession.END_OF_STATE);
            long drained = time.nanoTime();
            timeline.end(drained, bytes);
            return new CopyReport(
                    chunkBytes,
                    running,
                    moved(running.bytes(), running.readNanos(), running.writeNanos()),
                    said,
                    quiesced - begin,
                    stopped - quiesced,
                    drained - stopped,
                    timeline);
        }

        private void quiesce() throws VfioException {
            if (session != null) {
                session.quiesce(RUNNING);
            } else if (device.features().p2p()) {
                device.setState(RUNNING_P2P, RUNNING);
            }
        }

        private SavingSession stop() throws VfioException {
            SavingSession saving = session;
            if (saving == null) {
                saving = device.startSaving(STOP_COPY, STOP, RUNNING);
                session = saving;
            } else {
                saving.stop(STOP, RUNNING);
            }
            return saving;
        }

        /** Moves one chunk. Returns what {@link SavingSession#read} returned. */
        private long move(SavingSession saving) throws IOException {
            long before = time.nanoTime();
            long read = saving.read(buffer, 0, buffer.byteSize());
            long after = time.nanoTime();
            pulse.beat();
            if (read > 0) {
                readNanos += after - before;
                if (to != null) {
                    to.write(buffer, 0, read);
                    long written = time.nanoTime();
                    writeNanos += written - after;
                    after = written;
                    pulse.beat();
                }
                bytes += read;
                timeline.sample(after, bytes);
            }
            return read;
        }

        private CopyReport.Moved moved(long bytesBefore, long readBefore, long writeBefore) {
            return new CopyReport.Moved(bytes - bytesBefore, readNanos - readBefore, writeNanos - writeBefore);
        }

        void finish() throws VfioException {
            finished = true;
            Recovery.toRunning(device, session);
        }

        @Override
        public void close() throws VfioException {
            if (!finished) {
                finish();
            }
        }
    }
}
