// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationException.Reason;

/** What the command's end tells a script. The help and docs/cli.md list the same. */
enum ExitCode {
    OK(0, "done"),
    INTERNAL(1, "internal error: a bug in vfio4j"),
    USAGE(2, "wrong command line"),
    DEVICE(3, "the device or its driver failed, or there is no such device"),
    TRANSPORT(4, "peer or file: unreachable, silent, ended too early, disk full"),
    PROTOCOL(5, "peer or file speaks no vfio4j, or another version of it"),
    REFUSED(6, "the two devices do not fit"),
    DAMAGED(7, "the stream was altered on its way"),
    PEER_FAILED(8, "the other side gave up"),
    NOT_CONVERGED(9, "pre-copy was not going to fit the downtime limit"),
    IN_DOUBT(10, "the connection was lost in the handover: find out who runs the device"),
    DIFFERENT(11, "the digests of source and destination differ"),
    CANNOT_RUN(12, "vfio4j cannot run here: no JDK, build failed, no native access, no memory"),
    MISSED(13, "a measured value misses --max-downtime or --min-throughput"),
    CANCELLED(130, "cancelled by Ctrl-C (143: by SIGTERM)");

    private final int code;
    private final String meaning;

    ExitCode(int code, String meaning) {
        this.code = code;
        this.meaning = meaning;
    }

    int code() {
        return code;
    }

    String meaning() {
        return meaning;
    }

    static ExitCode of(Reason reason) {
        return switch (reason) {
            case DEVICE -> DEVICE;
            case TRANSPORT -> TRANSPORT;
            case PROTOCOL -> PROTOCOL;
            case REFUSED -> REFUSED;
            case DAMAGED -> DAMAGED;
            case PEER_FAILED -> PEER_FAILED;
            case NOT_CONVERGED -> NOT_CONVERGED;
            case CANCELLED -> CANCELLED;
            case IN_DOUBT -> IN_DOUBT;
        };
    }
}
