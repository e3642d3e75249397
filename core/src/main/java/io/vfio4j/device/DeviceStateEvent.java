// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** JFR: an arc of a device's state machine, or its reset; its duration is the kernel's */
@Name("io.vfio4j.DeviceState")
@Label("Device State")
@Category("vfio4j")
@Description("an arc of a device's state machine, or its reset; its duration is the kernel's")
@StackTrace(false)
final class DeviceStateEvent extends Event {
    @Label("Device")
    @Nullable
    String device;

    @Label("Target State")
    @Nullable
    String target;

    @Label("Result")
    int result;
}
