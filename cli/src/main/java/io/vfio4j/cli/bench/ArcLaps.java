// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static io.vfio4j.device.MigrationState.PRE_COPY;
import static io.vfio4j.device.MigrationState.PRE_COPY_P2P;
import static io.vfio4j.device.MigrationState.RUNNING;
import static io.vfio4j.device.MigrationState.RUNNING_P2P;
import static io.vfio4j.device.MigrationState.STOP;
import static io.vfio4j.device.MigrationState.STOP_COPY;

import io.vfio4j.device.MigrationFeatures;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes a device along every arc that it has and that keeps its state, from RUNNING and back, again and again. No data
 * is read.
 */
public final class ArcLaps {
    private static final List<MigrationState> ALL = List.of(
            PRE_COPY,
            PRE_COPY_P2P,
            PRE_COPY,
            RUNNING,
            RUNNING_P2P,
            PRE_COPY_P2P,
            RUNNING_P2P,
            PRE_COPY_P2P,
            STOP_COPY,
            STOP,
            STOP_COPY,
            STOP,
            RUNNING_P2P,
            STOP,
            RUNNING_P2P,
            RUNNING);
    private static final List<MigrationState> WITHOUT_P2P =
            List.of(PRE_COPY, RUNNING, PRE_COPY, STOP_COPY, STOP, STOP_COPY, STOP, RUNNING, STOP, RUNNING);
    private static final List<MigrationState> WITHOUT_PRE_COPY =
            List.of(RUNNING_P2P, STOP, STOP_COPY, STOP, RUNNING_P2P, RUNNING);
    private static final List<MigrationState> NEITHER = List.of(STOP, STOP_COPY, STOP, RUNNING);

    private final VfioDevice device;
    private final Pulse pulse;

    /**
     * Prepares laps; nothing is touched yet.
     *
     * @param device the device, in RUNNING; it stays the caller's
     * @param pulse is told of each arc
     */
    public ArcLaps(VfioDevice device, Pulse pulse) {
        this.device = device;
        this.pulse = pulse;
    }

    /**
     * Returns the way of a lap: each step is a single arc of the kernel's state machine, and none is one of the two
     * that lock up old kernels.
     *
     * @param features what the device has
     * @return the states in their order, behind the RUNNING that it begins in
     */
    static List<MigrationState> route(MigrationFeatures features) {
        if (features.preCopy()) {
            return features.p2p() ? ALL : WITHOUT_P2P;
        }
        return features.p2p() ? WITHOUT_PRE_COPY : NEITHER;
    }

    /**
     * Takes one lap.
     *
     * @param times where the time of each arc goes
     * @throws IOException when an arc fails; the device is in RUNNING if it can be taken there
     */
    public void lap(ArcTimes times) throws IOException {
        MigrationState at = RUNNING;
        SavingSession session = null;
        try {
            for (MigrationState target : route(device.features())) {
                session = step(at, target, session);
                times.record(new Arc(at, target), device.lastArcNanos());
                at = target;
                pulse.beat();
            }
        } catch (IOException | RuntimeException | Error e) {
            Recovery.toRunningAfter(e, device, session);
            throw e;
        }
    }

    /** Takes one arc. Returns the session that goes on, which the next step ends or keeps. */
    private @Nullable SavingSession step(MigrationState from, MigrationState to, @Nullable SavingSession session)
            throws IOException {
        if (saves(to) && !saves(from)) {
            return device.startSaving(to, RUNNING, STOP);
        }
        device.setState(to, RUNNING, STOP);
        if (session != null && !saves(to)) {
            session.close();
            return null;
        }
        return session;
    }

    private static boolean saves(MigrationState state) {
        return state.isPreCopy() || state == STOP_COPY;
    }
}
