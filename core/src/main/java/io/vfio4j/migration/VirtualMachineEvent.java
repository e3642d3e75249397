// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** JFR: what the virtual machine was asked for, and why; its duration is the monitor's */
@Name("io.vfio4j.VirtualMachine")
@Label("Call of the Virtual Machine")
@Category("vfio4j")
@Description("what the virtual machine was asked for, and why")
@StackTrace(false)
final class VirtualMachineEvent extends Event {
    @Label("Call")
    @Nullable
    String call;

    @Label("Reason")
    @Nullable
    String reason;

    @Label("Failure")
    @Nullable
    String failure;
}
