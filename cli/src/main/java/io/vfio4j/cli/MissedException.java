// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.io.IOException;

/** Says that something was measured well and is worse than it was asked to be. */
final class MissedException extends IOException {
    private static final long serialVersionUID = 1L;

    MissedException(String message) {
        super(message);
    }
}
