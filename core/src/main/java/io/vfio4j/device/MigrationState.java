// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import io.vfio4j.ffm.vfio.Vfio;

/** A migration state of a VFIO device: {@code enum vfio_device_mig_state}. */
public enum MigrationState {
    /** The device has failed; only a reset leads on, to RUNNING. */
    ERROR(Vfio.VFIO_DEVICE_STATE_ERROR),
    /** The device does nothing, and its state does not change. */
    STOP(Vfio.VFIO_DEVICE_STATE_STOP),
    /** The device runs. */
    RUNNING(Vfio.VFIO_DEVICE_STATE_RUNNING),
    /** The device is stopped and its state is being read. */
    STOP_COPY(Vfio.VFIO_DEVICE_STATE_STOP_COPY),
    /** The device is stopped and its state is being written. */
    RESUMING(Vfio.VFIO_DEVICE_STATE_RESUMING),
    /** The device runs, but begins no new peer-to-peer DMA. Only with {@link MigrationFeatures#p2p()}. */
    RUNNING_P2P(Vfio.VFIO_DEVICE_STATE_RUNNING_P2P),
    /** The device runs while its state is being read. Only with {@link MigrationFeatures#preCopy()}. */
    PRE_COPY(Vfio.VFIO_DEVICE_STATE_PRE_COPY),
    /** As PRE_COPY, but the device begins no new peer-to-peer DMA. Only with both features. */
    PRE_COPY_P2P(Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P);

    private final int code;

    MigrationState(int code) {
        this.code = code;
    }

    /**
     * Returns the kernel's number.
     *
     * @return {@code VFIO_DEVICE_STATE_*}
     */
    public int code() {
        return code;
    }

    /**
     * Tells whether the device runs in this state, so that its state can still change.
     *
     * @return true for RUNNING, RUNNING_P2P, PRE_COPY and PRE_COPY_P2P
     */
    public boolean isRunning() {
        return this == RUNNING || this == RUNNING_P2P || isPreCopy();
    }

    /**
     * Tells whether this is one of the pre-copy states.
     *
     * @return true for PRE_COPY and PRE_COPY_P2P
     */
    public boolean isPreCopy() {
        return this == PRE_COPY || this == PRE_COPY_P2P;
    }

    /**
     * Tells whether asking for this state would lock up a kernel.
     *
     * <p>{@code STOP_COPY → PRE_COPY} and {@code → PRE_COPY_P2P} make {@code vfio_mig_get_next_state()} spin for ever
     * in kernels up to 6.12.95; newer ones answer EINVAL.
     *
     * @param from the state that the device is in
     * @return whether the request must not be made
     */
    public boolean isBlockedFrom(MigrationState from) {
        return from == STOP_COPY && isPreCopy();
    }

    /**
     * Returns the state with a number of the kernel's.
     *
     * @param code {@code VFIO_DEVICE_STATE_*}
     * @return the state
     * @throws IllegalArgumentException for a number that is no state
     */
    public static MigrationState of(int code) {
        for (MigrationState state : values()) {
            if (state.code == code) {
                return state;
            }
        }
        throw new IllegalArgumentException("no migration state has the number " + code);
    }
}
