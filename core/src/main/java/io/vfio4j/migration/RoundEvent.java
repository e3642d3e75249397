// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** JFR: a handler has ended a round of pre-copy */
@Name("io.vfio4j.Round")
@Label("Pre-copy Round")
@Category("vfio4j")
@Description("a handler has ended a round of pre-copy")
@StackTrace(false)
final class RoundEvent extends Event {
    @Label("Handler")
    @Nullable
    String handler;

    @Label("Round")
    int round;

    @Label("Bytes in All")
    @DataAmount
    long bytes;

    @Label("Bytes Left")
    @DataAmount
    long leftBytes;

    @Label("Rate")
    @DataAmount
    long bytesPerSecond;
}
