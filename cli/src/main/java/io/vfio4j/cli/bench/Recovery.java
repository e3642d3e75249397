// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import org.jspecify.annotations.Nullable;

/** Ends a session and takes the device back to RUNNING with what it holds. */
final class Recovery {
    private Recovery() {}

    /**
     * Ends a session that has gone well.
     *
     * @throws VfioException when the device does not run again
     */
    static void toRunning(VfioDevice device, @Nullable SavingSession session) throws VfioException {
        if (session != null) {
            session.close();
        }
        try {
            device.setState(MigrationState.RUNNING, MigrationState.STOP);
        } catch (VfioException e) {
            // A reset would lose what the device holds, so STOP is where to try again from.
            if (e.deviceWasReset() || e.stateAfter() != MigrationState.STOP) {
                throw e;
            }
            device.setState(MigrationState.RUNNING, MigrationState.STOP);
        }
    }

    /** Ends a session that has failed; what fails now goes with it. */
    static void toRunningAfter(Throwable failure, VfioDevice device, @Nullable SavingSession session) {
        try {
            toRunning(device, session);
        } catch (VfioException e) {
            failure.addSuppressed(e);
        }
    }

    /** Takes a peer out of a load that has failed; what fails now goes with it. */
    static void resetAfter(Throwable failure, VfioDevice peer) {
        try {
            peer.reset();
        } catch (VfioException e) {
            failure.addSuppressed(e);
        }
    }
}
