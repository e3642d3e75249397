// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/** Where a migration is. */
public enum Phase {
    /** Connecting, comparing both sides, making the destination's device ready. */
    SETUP,
    /** Source: the device runs while its state is sent. */
    PRE_COPY,
    /** Source: as PRE_COPY, and ready for the switchover, which waits for the caller's word. */
    WAITING,
    /** Source: the device is stopped, and the rest of its state is sent. The downtime runs. */
    STOP_COPY,
    /** Destination: the state comes in. */
    RECEIVING,
    /** All has been sent; the destination loads it and takes over. */
    HANDOVER,
    /**
     * The device runs at the destination, and what could wait goes there; {@code postcopy-active} in QEMU. Left out
     * where nothing could wait.
     */
    AFTER_SWITCHOVER,
    /** The device runs at the destination, or its state is whole in a file. */
    COMPLETED,
    /** Given up; the source's device is as it was before. */
    FAILED,
    /** The connection was lost between COMMIT and its answer: the caller decides who runs the device. */
    IN_DOUBT
}
