// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import io.vfio4j.observe.Downtime;

/** A part of the downtime, in the order in which they come. */
public enum DowntimePart {
    /** The virtual machine's own stop. */
    STOP_VM("stop VM", "stopVm"),
    /** {@code PRE_COPY → PRE_COPY_P2P}. */
    QUIESCE("quiesce", "quiesce"),
    /** {@code → STOP_COPY}. */
    STOP_COPY("stop-copy", "stopCopy"),
    /** Reading and sending what was left. */
    DRAIN("drain", "drain"),
    /** The destination's load up to STOP. */
    LOAD("load", "load"),
    /** The handover up to the destination's RUNNING. */
    RESUME("resume", "resume");

    private final String label;
    private final String field;

    DowntimePart(String label, String field) {
        this.label = label;
        this.field = field;
    }

    /**
     * Returns what it is called in tables.
     *
     * @return such as {@code stop-copy}
     */
    public String label() {
        return label;
    }

    /**
     * Returns what it is called in JSON.
     *
     * @return such as {@code stopCopy}
     */
    public String field() {
        return field;
    }

    /**
     * Returns how long it took.
     *
     * @param downtime the whole
     * @return nanoseconds
     */
    public long nanos(Downtime downtime) {
        return switch (this) {
            case STOP_VM -> downtime.stopVm();
            case QUIESCE -> downtime.quiesce();
            case STOP_COPY -> downtime.stopCopy();
            case DRAIN -> downtime.drain();
            case LOAD -> downtime.load();
            case RESUME -> downtime.resume();
        };
    }
}
