// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_NR;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_RUNNING_P2P;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.vfio4j.ffm.vfio.Vfio.VFIO_DEVICE_STATE_STOP_COPY;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;

/** The kernel's table of the next state on the way to another ({@code vfio_mig_get_next_state}, Linux 7.3). */
final class MigrationArcs {
    private static final int E = VFIO_DEVICE_STATE_ERROR;
    private static final int S = VFIO_DEVICE_STATE_STOP;
    private static final int R = VFIO_DEVICE_STATE_RUNNING;
    private static final int C = VFIO_DEVICE_STATE_STOP_COPY;
    private static final int U = VFIO_DEVICE_STATE_RESUMING;
    private static final int P = VFIO_DEVICE_STATE_RUNNING_P2P;
    private static final int Y = VFIO_DEVICE_STATE_PRE_COPY;
    private static final int Q = VFIO_DEVICE_STATE_PRE_COPY_P2P;

    /** By the current state, then by the wanted one, both in the order of their numbers: E S R C U P Y Q. */
    private static final int[][] NEXT = {
        {E, E, E, E, E, E, E, E}, // from ERROR
        {E, S, P, C, U, P, P, P}, // from STOP
        {E, P, R, P, P, P, Y, P}, // from RUNNING
        {E, S, S, C, S, S, E, E}, // from STOP_COPY
        {E, S, S, S, U, S, S, S}, // from RESUMING
        {E, S, R, S, S, P, R, Q}, // from RUNNING_P2P
        {E, R, R, Q, R, R, Y, Q}, // from PRE_COPY
        {E, P, P, C, P, P, Y, Q}, // from PRE_COPY_P2P
    };

    private MigrationArcs() {}

    /** Returns the next state on the way, or {@code -EINVAL} where there is none. */
    static int next(int current, int wanted, long features) {
        if (!isSupported(current, features) || !isSupported(wanted, features)) {
            return Errno.EINVAL.negated();
        }
        int next = NEXT[current][wanted];
        while (next != VFIO_DEVICE_STATE_ERROR && !isSupported(next, features)) {
            next = NEXT[next][wanted];
        }
        return next == VFIO_DEVICE_STATE_ERROR ? Errno.EINVAL.negated() : next;
    }

    static boolean isRunning(int state) {
        return state == R || state == P || isPreCopy(state);
    }

    static boolean isPreCopy(int state) {
        return state == Y || state == Q;
    }

    private static boolean isSupported(int state, long features) {
        if (state <= VFIO_DEVICE_STATE_ERROR || state >= VFIO_DEVICE_STATE_NR) {
            return false;
        }
        long needed = Vfio.VFIO_MIGRATION_STOP_COPY;
        if (state == P || state == Q) {
            needed |= Vfio.VFIO_MIGRATION_P2P;
        }
        if (isPreCopy(state)) {
            needed |= Vfio.VFIO_MIGRATION_PRE_COPY;
        }
        return (features & needed) == needed;
    }
}
