// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Looks how fast a device changes its state: reads it once in PRE_COPY, watches for a while how {@code dirty_bytes}
 * grow, and reads what has changed. The device runs all the time.
 */
public final class DirtyRate {
    private static final int CHUNK = 1 << 20;
    private static final long PAGE = 4096;
    private static final long LOOK_EVERY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long WATCH_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int LEAST_SAMPLES = 3;

    /** When that part of the state has changed, some of it has changed twice, which the driver does not tell. */
    private static final int SATURATES_AT = 8;

    private final VfioDevice device;
    private final long maxPreCopyNanos;
    private final Time time;
    private final Pulse pulse;

    /**
     * Prepares a look; nothing is touched yet.
     *
     * @param device the device, in RUNNING and with PRE_COPY; it stays the caller's
     * @param maxPreCopyNanos how long each of the two times of reading goes on at the most, in nanoseconds
     * @param time the clock
     * @param pulse is told of each call
     */
    public DirtyRate(VfioDevice device, long maxPreCopyNanos, Time time, Pulse pulse) {
        this.device = device;
        this.maxPreCopyNanos = maxPreCopyNanos;
        this.time = time;
        this.pulse = pulse;
    }

    /**
     * Looks once.
     *
     * @return what was seen
     * @throws IOException when the driver fails; the device is in RUNNING if it can be taken there
     */
    public DirtyReport measure() throws IOException {
        SavingSession session = null;
        try (Arena arena = Arena.ofConfined()) {
            session = device.startSaving(MigrationState.PRE_COPY, MigrationState.RUNNING);
            DirtyReport report = measure(session, arena.allocate(CHUNK, PAGE));
            Recovery.toRunning(device, session);
            return report;
        } catch (IOException | RuntimeException | Error e) {
            Recovery.toRunningAfter(e, device, session);
            throw e;
        }
    }

    private DirtyReport measure(SavingSession session, MemorySegment buffer) throws IOException {
        long state = PreCopyLimit.state(device, session);
        long enough = PreCopyLimit.bytes(device, session);
        read(session, buffer, enough);
        long begin = time.nanoTime();
        List<DirtyReport.Sample> samples = new ArrayList<>();
        long pending = 0;
        while (samples.size() < LEAST_SAMPLES
                || (time.nanoTime() - begin < WATCH_NANOS && (state == 0 || pending < state / SATURATES_AT))) {
            pending = PreCopyLimit.pending(session);
            samples.add(new DirtyReport.Sample(time.nanoTime() - begin, pending));
            pulse.beat();
            time.pause(LOOK_EVERY_NANOS);
        }
        // What makes some drivers produce what they give next.
        session.precopyInfo();
        Reading resent = read(session, buffer, enough);
        return new DirtyReport(samples, resent.bytes(), time.nanoTime() - begin, resent.drained());
    }

    private record Reading(long bytes, boolean drained) {}

    private Reading read(SavingSession session, MemorySegment buffer, long enough) throws IOException {
        long begin = time.nanoTime();
        long bytes = 0;
        while (bytes < enough && time.nanoTime() - begin < maxPreCopyNanos) {
            long read = session.read(buffer, 0, buffer.byteSize());
            pulse.beat();
            if (read == SavingSession.DRAINED) {
                return new Reading(bytes, true);
            }
            bytes += read;
        }
        return new Reading(bytes, false);
    }
}
