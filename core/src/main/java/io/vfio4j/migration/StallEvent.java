// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/** JFR: a handler has waited for the other side to take its state */
@Name("io.vfio4j.Stall")
@Label("Stall")
@Category("vfio4j")
@Description("a handler has waited for the other side to take its state")
@StackTrace(false)
final class StallEvent extends Event {
    @Label("Handler")
    @Nullable
    String handler;

    @Label("Waited")
    @Timespan
    long waited;
}
