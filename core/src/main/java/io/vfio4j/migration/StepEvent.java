// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** JFR: a handler has done a step, or failed to; its duration is the handler's */
@Name("io.vfio4j.Step")
@Label("Step of a Handler")
@Category("vfio4j")
@Description("a handler has done a step, or failed to")
@StackTrace(false)
final class StepEvent extends Event {
    @Label("Handler")
    @Nullable
    String handler;

    @Label("Task of the Thread")
    @Nullable
    String task;

    @Label("Step")
    @Nullable
    String step;

    @Label("Failure")
    @Nullable
    String failure;
}
