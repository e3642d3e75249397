// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

/** What to do with a device that is stopped because nobody knows who runs it. */
enum WhenInDoubt {
    /** End; the device stays stopped until it is closed. */
    KEEP_STOPPED,
    /** Ask on the terminal, and hold the device until there is an answer. */
    ASK
}
